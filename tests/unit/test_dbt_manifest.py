"""The dbt project explains and tests itself: dbt's own manifest is read and anything left out fails."""

from pathlib import Path
from typing import Any

import pytest

from ops.settings import PROJECT_DIRECTORY

DBT_PROJECT = PROJECT_DIRECTORY / "dbt_project"


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `dbt parse` understood; needs no database."""
    from dbt.cli.main import dbtRunner

    scratch = str(tmp_path_factory.mktemp("dbt"))
    options = ["--no-send-anonymous-usage-stats", "--log-level", "none", "--log-path", scratch, "parse"]
    options += ["--target-path", scratch, "--no-partial-parse"]
    directory = Path.cwd()
    result = dbtRunner().invoke([*options, "--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)])
    assert result.success, result.exception
    assert Path.cwd() == directory
    parsed: dict[str, Any] = result.result.to_dict()
    return parsed


def of_project(resources: dict[str, Any], kind: str | None = None) -> list[dict[str, Any]]:
    """This project's resources of a kind, by name; dbt's own macros left out."""
    own = [item for item in resources.values() if item["package_name"] == "cx_signals"]
    found = [item for item in own if kind in (None, item["resource_type"])]
    assert found, f"the manifest has no {kind}: this check would pass over nothing"
    return sorted(found, key=lambda item: item["name"])


def models(manifest: dict[str, Any], folder: str = "") -> list[dict[str, Any]]:
    return [model for model in of_project(manifest["nodes"], "model") if folder in model["path"]]


def data_tests_of(manifest: dict[str, Any], unique_id: str) -> list[dict[str, Any]]:
    """The data tests that dbt runs against a model or source."""
    tests = of_project(manifest["nodes"], "test")
    if unique_id.startswith("source."):
        return [test for test in tests if unique_id in test["depends_on"]["nodes"]]
    return [test for test in tests if test.get("attached_node") == unique_id]


def columns_of(model: dict[str, Any], manifest: dict[str, Any], test_names: set[str]) -> set[str]:
    """Columns of a model that have a test of one of these names."""
    tests = data_tests_of(manifest, model["unique_id"])
    found = [test for test in tests if test.get("test_metadata", {}).get("name") in test_names]
    return {test["column_name"] for test in found if test["column_name"]} | {
        name for test in found for name in test["test_metadata"]["kwargs"].get("columns", [])
    }


def undescribed(items: list[dict[str, Any]]) -> list[str]:
    return [item["name"] for item in items if not item["description"].strip()]


def test_everything_is_described(manifest: dict[str, Any]) -> None:
    """Models, sources, macros, exposures, groups, unit tests and singular tests say what they are for."""
    singular = [test for test in of_project(manifest["nodes"], "test") if not test.get("test_metadata")]
    for items in (models(manifest), of_project(manifest["sources"]), of_project(manifest["macros"]), singular):
        assert undescribed(items) == []
    for kind in ("exposures", "groups", "unit_tests"):
        assert undescribed(of_project(manifest[kind])) == []


def test_every_column_is_described(manifest: dict[str, Any]) -> None:
    """A column of a model or source that a reader can meet has a sentence."""
    for item in (*models(manifest), *of_project(manifest["sources"])):
        assert item["columns"], item["name"]
        assert [column["name"] for column in item["columns"].values() if not column["description"].strip()] == [], item["name"]


def test_every_macro_argument_is_described(manifest: dict[str, Any]) -> None:
    """Who calls a macro knows what to hand it."""
    for macro in of_project(manifest["macros"]):
        assert [argument["name"] for argument in macro["arguments"] if not argument["description"].strip()] == [], macro["name"]


def test_every_model_and_source_is_tested(manifest: dict[str, Any]) -> None:
    """Nothing is built or read without a data test on it."""
    for item in (*models(manifest), *of_project(manifest["sources"])):
        assert data_tests_of(manifest, item["unique_id"]), item["name"]


def test_every_model_states_its_grain_first(manifest: dict[str, Any]) -> None:
    """The first line of the SQL and of the description says what one row is, in the same words."""
    for model in models(manifest):
        first_line = model["raw_code"].splitlines()[0]
        assert first_line.startswith("-- Grain: one row per "), model["name"]
        grain = first_line.removeprefix("-- ").rstrip(".")
        assert " ".join(model["description"].split()).startswith(grain), model["name"]


def test_every_mart_has_a_contract_a_key_and_an_owner(manifest: dict[str, Any]) -> None:
    """A mart promises its columns and types, tests its key, is public, and belongs to a group with an address."""
    for mart in models(manifest, "marts/"):
        publish = mart["config"]["meta"]["publish"]
        assert mart["config"]["contract"]["enforced"] and mart["config"]["access"] == "public", mart["name"]
        assert all(column["data_type"] for column in mart["columns"].values()), mart["name"]
        assert set(publish["key"]) <= columns_of(mart, manifest, {"not_null"}), mart["name"]
        assert set(publish["key"]) <= columns_of(mart, manifest, {"unique", "unique_together"}), mart["name"]
        assert [rule["columns"] for rule in mart["constraints"]] == [publish["key"]], mart["name"]
        assert mart["config"]["group"] in {group["name"] for group in of_project(manifest["groups"]) if group["owner"]["email"]}


def test_every_touched_relation_lists_the_start_of_its_marts_key(manifest: dict[str, Any]) -> None:
    """The publisher compares by the touched relation, so its columns must belong to the mart's key."""
    names = {model["name"]: model for model in models(manifest, "touched/")}
    for mart in models(manifest, "marts/"):
        publish = mart["config"]["meta"]["publish"]
        if publish["touched"]:
            assert set(names[publish["touched"]]["columns"]) & set(publish["key"]), mart["name"]
            assert names[publish["touched"]]["schema"] == mart["schema"], mart["name"]


def test_only_staging_reads_sources(manifest: dict[str, Any]) -> None:
    """A landing table has one reader; what the publisher remembers is read where held tickets matter."""
    for model in models(manifest):
        landing = [parent for parent in model["depends_on"]["nodes"] if parent.startswith("source.cx_signals.landing.")]
        assert not landing or model["path"].startswith("staging/"), model["name"]


def test_landing_sources_say_how_fresh_they_should_be(manifest: dict[str, Any]) -> None:
    """The tables that move all day have a freshness that `dbt source freshness` checks."""
    sources = of_project(manifest["sources"])
    fresh = {source["name"] for source in sources if (source["freshness"] or {}).get("error_after", {}).get("count")}
    assert {"ticket_signals", "ticket_signal_versions", "publications"} <= fresh


def test_exposures_stand_on_public_marts(manifest: dict[str, Any]) -> None:
    """What dashboards read is promised: marts, and what stands beside them in their schema; the owner can be written to."""
    marts = {mart["unique_id"] for mart in models(manifest, "marts/")}
    beside = {source["unique_id"] for source in of_project(manifest["sources"]) if source["source_name"] == "published"}
    exposures = of_project(manifest["exposures"])
    for exposure in exposures:
        read = set(exposure["depends_on"]["nodes"])
        assert read & marts and read <= marts | beside and exposure["owner"]["email"] and exposure["url"], exposure["name"]
    assert marts <= {parent for exposure in exposures for parent in exposure["depends_on"]["nodes"]}, "a mart that nobody reads"


def test_names_carry_their_layer(manifest: dict[str, Any]) -> None:
    """stg_, int_, touched_, and dim_, fct_ or rpt_: the name says where a model lives."""
    prefixes = {"staging": ("stg_",), "intermediate": ("int_", "touched_"), "marts": ("dim_", "fct_", "rpt_")}
    for model in models(manifest):
        assert model["name"].startswith(prefixes[Path(model["path"]).parts[0]]), model["name"]
