-- Offline replication objects: what site logs call. Made by the subscription manager, to be run again at will.

do @BODY@
begin
    -- Not `create schema if not exists`: that asks for the right to create schemas even if it is there.
    if not exists (select from pg_catalog.pg_namespace where nspname = @SCHEMA_NAME@) then
        create schema @SCHEMA@;
    end if;
end
@BODY@;

-- One row: the last site log that was applied.
create table if not exists @SCHEMA@.sl_archive_tracking (
    at_counter bigint,
    at_created timestamp,
    at_applied timestamp
);

-- One row: the node whose logs are applied here. The SQL of a new site notes it, and the site's tools go by it.
create table if not exists @SCHEMA@.site_node (
    node text not null,
    noted timestamptz not null default now()
);

-- Rows of site logs go in here, and by the trigger into their tables; none stays.
create table if not exists @SCHEMA@.sl_log_archive (
    log_origin int4,
    log_txid bigint,
    log_tableid int4,
    log_actionseq int8,
    log_tablenspname text,
    log_tablerelname text,
    log_cmdtype char,
    log_cmdupdncols int4,
    log_cmdargs text[]
);

-- Slony-I before 2.2 calls sequences by number.
create table if not exists @SCHEMA@.sl_sequence_offline (
    seq_id int4 primary key,
    seq_relname text,
    seq_nspname text
);

-- The first call of a site log: only these objects have it, so that a site with other ones stops here.
create or replace function @SCHEMA@.site_log_offline(int4) returns int4
language plpgsql set search_path = pg_catalog, pg_temp as @BODY@
begin
    if $1 is distinct from @FORMAT@ then
        raise exception 'Slony-I: this site log is of format %, the offline objects of this site know format @FORMAT@', $1
            using hint = 'ask the data centre for new offline objects (offline-sql)';
    end if;
    -- Until the end of the transaction: names and rows are in the encoding of the origin.
    perform set_config('client_encoding', @ENCODING@, true);
    -- Values are read as the data centre reads them, whatever this server, database or role has as its default.
    perform set_config('intervalstyle', @INTERVALS@, true);
    perform set_config('array_nulls', 'on', true);
    if current_setting('lc_monetary') <> @MONEY@ then
        begin
            perform set_config('lc_monetary', @MONEY@, true);
        exception when invalid_parameter_value then
            -- This machine has no such locale. Few tables hold money.
            null;
        end;
    end if;
    return $1;
end
@BODY@;

create or replace function @SCHEMA@.archiveTracking_offline(int8, timestamp) returns int8
language plpgsql set search_path = pg_catalog, pg_temp as @BODY@
declare
    v_old_seq int8;
    v_exp_seq int8 := $1 - 1;
begin
    -- The lock first: of two that apply the same log, the second waits here and then sees the new counter.
    select at_counter into v_old_seq from @SCHEMA@.sl_archive_tracking for update;
    if not found then
        raise exception 'Slony-I: current archive tracking status not found';
    end if;
    if v_old_seq is distinct from v_exp_seq then
        raise exception 'Slony-I: node is on archive counter %, this archive log expects %', v_old_seq, v_exp_seq;
    end if;
    raise notice 'Slony-I: Process archive with counter % created %', $1, $2;
    update @SCHEMA@.sl_archive_tracking
        set at_counter = $1, at_created = $2, at_applied = current_timestamp;
    return $1;
end
@BODY@;

create or replace function @SCHEMA@.sequenceSetValue_offline(text, text, int8) returns int4
language plpgsql set search_path = pg_catalog, pg_temp as @BODY@
declare
    v_sequence regclass;
begin
    select c.oid into v_sequence
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = $1 and c.relname = $2 and c.relkind = 'S';
    if v_sequence is null then
        raise warning 'Slony-I: this site has no sequence %.%, its value % is not set',
            quote_ident($1), quote_ident($2), $3;
        return 0;
    end if;
    perform setval(v_sequence, $3);
    return 0;
end
@BODY@;

create or replace function @SCHEMA@.sequenceSetValue_offline(int4, int8) returns int4
language plpgsql set search_path = pg_catalog, pg_temp as @BODY@
declare
    v_sequence @SCHEMA@.sl_sequence_offline;
begin
    select * into v_sequence from @SCHEMA@.sl_sequence_offline where seq_id = $1;
    if not found then
        raise warning 'Slony-I: this site has no sequence of number %, its value % is not set', $1, $2;
        return 0;
    end if;
    return @SCHEMA@.sequenceSetValue_offline(v_sequence.seq_nspname, v_sequence.seq_relname, $2);
end
@BODY@;

create or replace function @SCHEMA@.finishTableAfterCopy(int4) returns int4
language sql set search_path = pg_catalog, pg_temp as 'select 1';

create or replace function @SCHEMA@.slon_quote_brute(p_tab_fqname text) returns text
language sql immutable as @BODY@
    select '"' || pg_catalog.replace($1, '"', '""') || '"'
@BODY@;

-- Empties a table.
create or replace function @SCHEMA@.truncateTable_offline(text, text) returns int4
language plpgsql as @BODY@
declare
    v_table text := pg_catalog.format('%s.%s', @SCHEMA@.slon_quote_brute($1), @SCHEMA@.slon_quote_brute($2));
begin
    execute 'truncate only ' || v_table;
    return 0;
exception when feature_not_supported or object_in_use then
    -- Another table refers to it, or a deferred check is due. Never CASCADE: that would empty a table that the site
    -- keeps for itself.
    execute 'delete from only ' || v_table;
    return 0;
end
@BODY@;

-- Runs a statement of EXECUTE SCRIPT, as the role that applies the logs.
create or replace function @SCHEMA@.runScript_offline(text) returns int4
language plpgsql as @BODY@
begin
    execute $1;
    return 0;
end
@BODY@;

-- The change that a row stands for. Without a search_path of its own, on purpose: what it changes fires the site's
-- triggers and defaults and compares by the operators of the site's types, and those want the path of the session.
create or replace function @SCHEMA@.log_apply() returns trigger
language plpgsql as @BODY@
declare
    v_table text := pg_catalog.format('%s.%s', @SCHEMA@.slon_quote_brute(NEW.log_tablenspname),
        @SCHEMA@.slon_quote_brute(NEW.log_tablerelname));
    v_relation pg_catalog.regclass;
    v_args text[] := NEW.log_cmdargs;
    v_count int4 := coalesce(pg_catalog.array_upper(NEW.log_cmdargs, 1), 0);
    v_changed int4 := 2 * coalesce(NEW.log_cmdupdncols, 0);
    v_generated text[] := '{}';
    v_always text[] := '{}';
    v_column text;
    v_value text;
    v_list text := '';
    v_values text := '';
    v_keys text := '';
begin
    if NEW.log_cmdtype in ('I', 'U') then
        -- Asked for every row: a table may change between two. First whether there is such a column at all, which
        -- costs a fifth of naming them. Static text is parsed when it is first run, so that PostgreSQL before 12
        -- never sees its column.
        v_relation := v_table;
        if pg_catalog.current_setting('server_version_num')::int4 >= 120000 then
            if exists (
                select from pg_catalog.pg_attribute a
                where a.attrelid = v_relation and a.attnum > 0 and (a.attgenerated <> '' or a.attidentity = 'a')
            ) then
                select coalesce(pg_catalog.array_agg(a.attname::text) filter (where a.attgenerated <> ''), '{}'),
                        coalesce(pg_catalog.array_agg(a.attname::text) filter (where a.attidentity = 'a'), '{}')
                    into v_generated, v_always
                    from pg_catalog.pg_attribute a
                    where a.attrelid = v_relation and a.attnum > 0 and not a.attisdropped;
            end if;
        elsif exists (
            select from pg_catalog.pg_attribute a
            where a.attrelid = v_relation and a.attnum > 0 and a.attidentity = 'a'
        ) then
            select coalesce(pg_catalog.array_agg(a.attname::text), '{}') into v_always
                from pg_catalog.pg_attribute a
                where a.attrelid = v_relation and a.attnum > 0 and not a.attisdropped and a.attidentity = 'a';
        end if;
    end if;

    if NEW.log_cmdtype = 'I' then
        for i in 1 .. v_count - 1 by 2 loop
            if v_args[i] = any (v_generated) then
                continue;
            end if;
            v_list := v_list || ',"' || pg_catalog.replace(v_args[i], '"', '""') || '"';
            v_values := v_values || ',' || pg_catalog.quote_nullable(v_args[i + 1]);
        end loop;
        execute 'insert into ' || v_table || ' (' || pg_catalog.substr(v_list, 2)
            || ') overriding system value values (' || pg_catalog.substr(v_values, 2) || ')';

    elsif NEW.log_cmdtype in ('U', 'D') then
        if NEW.log_cmdtype = 'D' then
            v_changed := 0;
        end if;
        -- `= null` is never true, as in Slony-I: keys are never null.
        for i in v_changed + 1 .. v_count - 1 by 2 loop
            v_keys := v_keys || ' and "' || pg_catalog.replace(v_args[i], '"', '""') || '"='
                || pg_catalog.quote_nullable(v_args[i + 1]);
        end loop;
        if v_keys = '' then
            raise exception 'Slony-I: a row without a key for %', v_table;
        end if;
        v_keys := ' where ' || pg_catalog.substr(v_keys, 6);
        if NEW.log_cmdtype = 'D' then
            execute 'delete from only ' || v_table || v_keys;
            return null;
        end if;

        for i in 1 .. v_changed - 1 by 2 loop
            if v_args[i] = any (v_generated) then
                continue;
            end if;
            v_column := '"' || pg_catalog.replace(v_args[i], '"', '""') || '"';
            v_list := v_list || ',' || v_column || '=' || pg_catalog.quote_nullable(v_args[i + 1]);
            if v_args[i] = any (v_always) then
                -- The one way to change such a column: UPDATE knows no OVERRIDING.
                execute 'alter table only ' || v_table || ' alter column ' || v_column || ' set generated by default';
                v_value := pg_catalog.concat(v_value, ', alter column ', v_column, ' set generated always');
            end if;
        end loop;
        if v_list = '' then
            -- Nothing changed: touch a key column, where one may be set at all.
            for i in v_changed + 1 .. v_count - 1 by 2 loop
                if not v_args[i] = any (v_generated || v_always) then
                    v_column := '"' || pg_catalog.replace(v_args[i], '"', '""') || '"';
                    v_list := ',' || v_column || '=' || v_column;
                    exit;
                end if;
            end loop;
        end if;
        if v_list <> '' then
            execute 'update only ' || v_table || ' set ' || pg_catalog.substr(v_list, 2) || v_keys;
        end if;
        if v_value is not null then
            execute 'alter table only ' || v_table || pg_catalog.substr(v_value, 2);
        end if;

    elsif NEW.log_cmdtype = 'T' then
        perform @SCHEMA@.truncateTable_offline(NEW.log_tablenspname, NEW.log_tablerelname);

    elsif NEW.log_cmdtype = 'S' then
        -- A statement of EXECUTE SCRIPT. slonik leaves the origin's setting alone, of which this is the default.
        perform pg_catalog.set_config('standard_conforming_strings', 'on', true);
        perform @SCHEMA@.runScript_offline(v_args[1]);

    elsif NEW.log_cmdtype = 's' then
        -- The end of a script.
        null;

    else
        raise exception 'Slony-I: rows of type % cannot be applied at this site', NEW.log_cmdtype;
    end if;
    return null;
end
@BODY@;

do @BODY@
begin
    if not exists (
        select from pg_catalog.pg_trigger t
            join pg_catalog.pg_class c on c.oid = t.tgrelid
            join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname = @SCHEMA_NAME@ and c.relname = 'sl_log_archive' and t.tgname = 'apply_trigger'
    ) then
        create trigger apply_trigger before insert on @SCHEMA@.sl_log_archive
            for each row execute procedure @SCHEMA@.log_apply();
    end if;
end
@BODY@;

-- Always, so that nobody needs the right to set session_replication_role.
alter table @SCHEMA@.sl_log_archive enable always trigger apply_trigger;
