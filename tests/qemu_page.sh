#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: all
# The page of `report html` needs nothing but itself, and a browser without a network draws it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

# page_data PAGE FILTER: of the object that it draws.
page_data() { sed -n 's/.*<script type="application\/json" id="data">\(.*\)<\/script>.*/\1/p' "$1" | jq -r "$2"; }

guest rv64-trap 10.0
record "trap"
run 0 "$tcgrr" report "$work/trap.tcgrr" html -o "$work/page.html"
equal "markers that were left" "$(grep -cE '@(HEAD|DATA|PAGE_CSS|UPLOT_JS|UPLOT_CSS)@' "$work/page.html" || true)" 0
equal "what it would load" "$(grep -oE '(src|href)="[^"]*"|url\([^)]*\)|@import' "$work/page.html" || true)" ""
page_data "$work/page.html" . > "$work/out"
run_icount=$("$tcgrr" info --json "$work/trap.tcgrr" | jq .icount)
equal "instructions of all curves" "$(json '[.series[].values[]] | add')" "$run_icount"
equal "instructions of all stacks" "$(json '.nodes[0][3]')" "$run_icount"
equal "own instructions of all functions" "$(json '[.functions[][1]] | add')" "$run_icount"
complains 2 "only with html" "$tcgrr" report "$work/trap.tcgrr" hotblocks -o "$work/x"

# Source lines of a guest with DWARF.
guest a64-timer 10.0
record timer
run 0 "$tcgrr" query "$work/timer.tcgrr" "SELECT line_of(pc) IS NOT NULL AS known FROM block WHERE symbolize(pc) = 'guest_main'" --format csv
if [ "$(tail -n 1 "$work/out")" = 1 ]; then # built with libdw
    run 0 "$tcgrr" report "$work/timer.tcgrr" html -o "$work/timer.html"
    contains "lines of blocks" "$(page_data "$work/timer.html" '.blocks[].symbol')" '^guest_main.*  .*/a64-timer.c:[0-9]+$'
    run 0 "$tcgrr" why "$work/timer.tcgrr" --at guest_main sp --depth 1 --json
    contains "line of a step" "$(json '.steps[0].line')" ':[0-9]+$'
fi

# What a divergence, its cause and a value have: the object that --json prints, drawn. Names are as
# bad as they can be.
guest a64-fcvtzs 10.0
bad="$work/<"
mkdir "$bad"
record fcvtzs
mv "$work/fcvtzs.tcgrr" "$bad/script><!--<script>.tcgrr"
cd "$work"
run 1 "$tcgrr" bisect "</script><!--<script>.tcgrr" --qemu "$(qemu aarch64 7.2)" --json --html cause.html --bundle "$work/bundle"
equal "finding of the page" "$(page_data cause.html .result)" "$(json .)"
[ -s bundle/finding.html ] || fail "the folder has no page"
run 1 "$tcgrr" replay "</script><!--<script>.tcgrr" --qemu "$(qemu aarch64 7.2)" --html divergence.html
run 0 "$tcgrr" why "</script><!--<script>.tcgrr" --at 301026 w6 --html why.html
run 0 "$tcgrr" replay "</script><!--<script>.tcgrr" --html same.html
complains 3 "--html: cannot write" "$tcgrr" replay "</script><!--<script>.tcgrr" --html nowhere/page.html

browser=$(command -v chromium-headless-shell chromium chromium-browser google-chrome | head -n 1) || true
[ -n "$browser" ] || skip "no Chromium here to look at the page (on Debian: chromium-headless-shell)"
# draw PAGE: as a browser without a network has it then, in $work/dom.
draw() {
    timeout 60 "$browser" --headless --no-sandbox --disable-gpu --host-resolver-rules="MAP * ~NOTFOUND" \
        --virtual-time-budget=5000 --dump-dom "file://$work/$1" > "$work/dom" 2>"$work/err" ||
        fail "the browser failed: $(tail -n 3 "$work/err")"
    equal "$1: errors" "$(grep -ciE 'uncaught|syntaxerror' "$work/err" || true)" 0
}
# drawn PAGE TEXT...: it has these texts, and no more scripts than its own two.
drawn() {
    local text
    draw "$1"
    for text in "${@:2}"; do
        contains "$1" "$(cat "$work/dom")" "$text"
    done
    equal "$1: scripts" "$(grep -cE '^<script' "$work/dom")" 2
}
draw page.html
contains "the page as drawn" "$(cat "$work/dom")" 'class="uplot'
[ "$(grep -o '<rect ' "$work/dom" | wc -l)" -ge 5 ] || fail "there is no flame graph"
drawn cause.html "&lt;/script&gt;&lt;!--&lt;script&gt;.tcgrr" "The cause: instruction" "<mark>ffff</mark>" "16 to 31" \
    "chain of causes" "memory 0x[0-9a-f]+ \(2 bytes\)" 'class="hit"'
[ "$(grep -o '<rect ' "$work/dom" | wc -l)" -ge 5 ] || fail "there is no graph of the chain"
drawn divergence.html "Diverged after 30[0-9],[0-9]{3} instructions in common: control flow" "fcvtzs_branch" 'class="hit"'
drawn why.html "Where the value came from" "fcvtzs_instruction"
drawn same.html "No divergence in 30[0-9],[0-9]{3} instructions"

# Printed, its tables are complete.
command -v pdftotext >/dev/null || skip "no pdftotext here to read the printed page (on Debian: poppler-utils)"
run 0 "$tcgrr" report "$work/timer.tcgrr" html -o "$work/timer.html"
timeout 60 "$browser" --headless --no-sandbox --disable-gpu --host-resolver-rules="MAP * ~NOTFOUND" \
    --print-to-pdf="$work/timer.pdf" "file://$work/timer.html" >/dev/null 2>"$work/err" || fail "it cannot be printed"
pdftotext -layout "$work/timer.pdf" "$work/printed"
last=$(page_data "$work/timer.html" '.eventlist[-1][0]' | sed -E ':again; s/([0-9])([0-9]{3})($|,)/\1,\2\3/; t again')
[ "$(page_data "$work/timer.html" '.eventlist | length')" -ge 30 ] || fail "too few events to fill more than what is shown at once"
contains "the printed page: the last event" "$(cat "$work/printed")" "(^| )$last "
