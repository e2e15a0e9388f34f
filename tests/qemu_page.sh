#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The page of `report html` needs nothing but itself, and a browser without a network draws it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

guest rv64-trap 10.0
record "trap"
run 0 "$tcgrr" report "$work/trap.tcgrr" html -o "$work/page.html"
equal "markers that were left" "$(grep -cE '@(DATA|UPLOT_JS|UPLOT_CSS)@' "$work/page.html" || true)" 0
equal "what it would load" "$(grep -oE '(src|href)="[^"]*"|url\([^)]*\)|@import' "$work/page.html" || true)" ""
sed -n 's/.*<script type="application\/json" id="data">\(.*\)<\/script>.*/\1/p' "$work/page.html" > "$work/out"
run_icount=$("$tcgrr" info --json "$work/trap.tcgrr" | jq .icount)
equal "instructions of all curves" "$(json '[.series[].values[]] | add')" "$run_icount"
equal "instructions of all stacks" "$(json '.nodes[0][3]')" "$run_icount"
equal "own instructions of all functions" "$(json '[.functions[][1]] | add')" "$run_icount"
complains 2 "only with html" "$tcgrr" report "$work/trap.tcgrr" hotblocks -o "$work/x"

browser=$(command -v chromium-headless-shell chromium chromium-browser google-chrome | head -n 1) || true
[ -n "$browser" ] || skip "no Chromium here to look at the page (on Debian: chromium-headless-shell)"
timeout 60 "$browser" --headless --no-sandbox --disable-gpu --host-resolver-rules="MAP * ~NOTFOUND" --virtual-time-budget=5000 \
    --dump-dom "file://$work/page.html" > "$work/dom" 2>"$work/err" || fail "the browser failed: $(tail -n 3 "$work/err")"
contains "the page as drawn" "$(cat "$work/dom")" 'class="uplot'
[ "$(grep -o '<rect ' "$work/dom" | wc -l)" -ge 5 ] || fail "there is no flame graph"
equal "errors of the page" "$(grep -ciE 'uncaught|syntaxerror' "$work/err" || true)" 0
