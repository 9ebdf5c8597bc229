-- Journals every change of the captured tables in the transaction that makes it, for tests/judge.py.
-- A row's lock is held until its transaction ends, so the numbers of one ticket's changes follow their commits.
create schema judge;

create table judge.journal (
    change_number bigint generated always as identity primary key,
    table_name text not null,
    operation text not null check (operation in ('insert', 'update', 'delete', 'truncate', 'present')),
    old_row jsonb,
    new_row jsonb,
    at timestamptz not null default clock_timestamp()
);
comment on table judge.journal is 'One row per changed row, truncated table, or row that was there when the journal began (present).';

create function judge.write_journal() returns trigger language plpgsql security definer as $$
begin
    insert into judge.journal (table_name, operation, old_row, new_row)
    values (
        tg_table_name,
        lower(tg_op),
        case when tg_op in ('UPDATE', 'DELETE') then to_jsonb(old) end,
        case when tg_op in ('INSERT', 'UPDATE') then to_jsonb(new) end
    );
    return null;
end $$;

create function judge.write_truncate() returns trigger language plpgsql security definer as $$
begin
    insert into judge.journal (table_name, operation) values (tg_table_name, 'truncate');
    return null;
end $$;

do $$
declare
    captured text;
begin
    foreach captured in array array['ticket_signals', 'tag_taxonomy', 'accounts'] loop
        execute format(
            'create trigger judge_changes after insert or update or delete on enrichment.%I '
            'for each row execute function judge.write_journal()', captured);
        execute format(
            'create trigger judge_truncates after truncate on enrichment.%I '
            'for each statement execute function judge.write_truncate()', captured);
        execute format(
            'insert into judge.journal (table_name, operation, new_row) '
            'select %L, ''present'', to_jsonb(present) from enrichment.%I as present', captured, captured);
    end loop;
end $$;
