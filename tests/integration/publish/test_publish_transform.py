"""The resident dbt: parsed once, parsed again after an edit, and clear about what it cannot do."""

import os
from pathlib import Path

import psycopg
import pytest

from expectations.publish.shape import Mart
from expectations.publish.transform import Project, Transformer, TransformError

PROJECT = """
name: tiny
version: "1.0"
profile: tiny
models: {tiny: {+materialized: table}}
"""
PROFILE = """
tiny:
  target: prod
  outputs:
    prod:
      type: postgres
      host: "{{ env_var('PGHOST') }}"
      port: "{{ env_var('PGPORT') | as_number }}"
      user: "{{ env_var('PGUSER') }}"
      password: "{{ env_var('PGPASSWORD') }}"
      dbname: "{{ env_var('PGDATABASE') }}"
      schema: build
      threads: 1
"""
SELECTORS = """
selectors:
  - {name: all, definition: {method: fqn, value: "*"}}
  - {name: cycle, definition: {method: config.materialized, value: table}}
"""
MODEL = "{{ config(meta={'publish': {'key': ['driver'], 'touched': none}}) }} select 'pricing' as driver, 1 as tickets"


@pytest.fixture
def transformer(tmp_path: Path, warehouse_url: str) -> Transformer:
    """A project of one mart."""
    directory = tmp_path / "project"
    (directory / "models").mkdir(parents=True)
    for name, text in (("dbt_project.yml", PROJECT), ("profiles.yml", PROFILE), ("selectors.yml", SELECTORS)):
        (directory / name).write_text(text)
    (directory / "models" / "fct_drivers.sql").write_text(MODEL)
    return Transformer(Project(directory, tmp_path / "scratch", warehouse_url))


def test_a_view_that_somebody_dropped_comes_back(transformer: Transformer, warehouse_url: str) -> None:
    """One run fails, because views are not made again each time; the next makes them all.

    Guard: a run that failed is followed by one of everything. Without it every run fails until the publisher starts anew.
    """
    models = transformer.project.directory / "models"
    (models / "stg_drivers.sql").write_text("{{ config(materialized='view') }} select 'pricing' as driver, 1 as tickets")
    (models / "fct_drivers.sql").write_text(MODEL.partition("select")[0] + "select * from {{ ref('stg_drivers') }}")
    transformer.run()
    with psycopg.connect(warehouse_url) as connection:
        connection.execute("drop view build.stg_drivers")

    with pytest.raises(TransformError, match="stg_drivers"):
        transformer.run()
    transformer.run()


def test_an_edit_is_noticed_and_a_broken_one_refused(transformer: Transformer, warehouse_url: str) -> None:
    """Edited: built as it is now. Broken: a sentence with the model's name, until it is mended. No trace in the environment."""
    model = transformer.project.directory / "models" / "fct_drivers.sql"
    before, directory = dict(os.environ), Path.cwd()

    assert transformer.marts() == [Mart("fct_drivers", ("driver",), None)]
    transformer.run()
    assert not transformer.files_changed()

    model.write_text(MODEL.replace("1 as tickets", "2 as tickets, 'new' as column_of_today"))
    assert transformer.files_changed()
    transformer.run()
    with psycopg.connect(warehouse_url) as connection:
        assert connection.execute("select tickets, column_of_today from build.fct_drivers").fetchall() == [(2, "new")]

    model.write_text(MODEL + " {{ ref('nowhere') }}")
    with pytest.raises(TransformError, match=r"cannot be read: .*nowhere"):
        transformer.run()

    model.write_text(MODEL + " from nowhere")
    with pytest.raises(TransformError, match=r"dbt model fct_drivers: .*nowhere"):
        transformer.run()

    model.write_text(MODEL.replace("'key': ['driver'], ", ""))
    with pytest.raises(TransformError, match=r"model fct_drivers: config.meta.publish needs key"):
        transformer.marts()
    assert (dict(os.environ), Path.cwd()) == (before, directory)
