#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Many runs are one table: DuckDB, and ClickHouse where it is installed, read what `export parquet`
# writes.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

guest a64-timer 10.0
record timer
mkdir -p "$work/bucket/run=1" "$work/bucket/run=2"
if ! "$tcgrr" export "$work/timer.tcgrr" parquet -o "$work/bucket/run=1/exec.parquet" 2>"$work/err"; then
    contains "why there is no Parquet" "$(cat "$work/err")" "not installed"
    skip "no libduckdb.so here (npm's @duckdb/node-bindings-linux-x64 has one; LD_LIBRARY_PATH names its folder)"
fi
complains 3 "cannot create" "$tcgrr" export "$work/timer.tcgrr" parquet -o "$work/none/exec.parquet"
complains 2 "is the trace itself" "$tcgrr" export "$work/timer.tcgrr" parquet -o "$work/timer.tcgrr"
run 0 "$tcgrr" export "$work/timer.tcgrr" parquet --from 1000 --until 2000 -o "$work/bucket/run=2/exec.parquet"

python3 -c "import duckdb" 2>/dev/null || skip "no DuckDB for Python here to read it (pip install duckdb)"
# The file's rows, those of a part, and the same by SQL on the trace.
wanted=$("$tcgrr" query "$work/timer.tcgrr" --format csv "SELECT count(*), sum(ran), max(icount), max(pc), count(symbolize(pc)) FROM exec" | tail -n 1)
part=$("$tcgrr" query "$work/timer.tcgrr" --format csv "SELECT count(*) FROM exec WHERE icount + ran > 1000 AND icount < 2000" | tail -n 1)
cat > "$work/read.py" <<'END'
import sys, duckdb
rows = duckdb.sql(f"""SELECT count(*), sum(ran), max(icount), max(pc), count(symbol)
                      FROM read_parquet('{sys.argv[1]}/*/*.parquet', hive_partitioning = true) GROUP BY run ORDER BY run""").fetchall()
print(*(",".join(map(str, row)) for row in rows))
END
read -r whole few < <(python3 "$work/read.py" "$work/bucket")
equal "the whole run by DuckDB" "$whole" "$wanted"
equal "executions of a part by DuckDB" "${few%%,*}" "$part"

if python3 -c "import chdb" 2>/dev/null; then
    equal "both by ClickHouse" "$(python3 -c "
import chdb
print(chdb.query(\"SELECT count(), uniq(_path) FROM file('$work/bucket/*/exec.parquet', 'Parquet')\", 'CSV'))" | tail -n 1)" \
        "$((${wanted%%,*} + part)),2"
fi
