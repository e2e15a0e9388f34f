# SPDX-License-Identifier: GPL-2.0-or-later
# fish completion for tcgrr. Asks tcgrr itself for everything, so that nothing here has to be kept
# up to date.

function __tcgrr_commands
    tcgrr --help 2>/dev/null | string replace -rf '^  ([a-z][a-z-]*) +(.*)' '$1\t$2'
end

# The words so far, without the program; none of them is a "--", after which words are QEMU's own.
function __tcgrr_words
    set -l words (commandline -opc)
    contains -- -- $words; and return 1
    string join \n -- $words[2..]
    return 0
end

# Whether the command is one of those given, and how many words follow it (any number, if none is
# given).
function __tcgrr_at -a count
    set -l words (__tcgrr_words); or return 1
    test (count $words) -gt 0; or return 1
    contains -- $words[1] $argv[2..]; or test (count $argv) -lt 2; or return 1
    test -z "$count"; or test (count $words) -eq (math $count + 1)
end

function __tcgrr_options
    set -l words (__tcgrr_words); or return
    tcgrr $words[1] --help 2>/dev/null | string replace -rf '^  (?:-[a-zA-Z], )?(--[a-z0-9-]+)\S* +(.*)' '$1\t$2'
end

function __tcgrr_reports
    tcgrr report --json 2>/dev/null | string replace -rf '^ *"name": "([a-z]*)",$' '$1'
end

function __tcgrr_symbols
    set -l words (__tcgrr_words); or return
    tcgrr query $words[2] "SELECT DISTINCT name FROM symbol ORDER BY 1" --format csv 2>/dev/null | tail -n +2 | string replace -ar '["\r]' ''
end

function __tcgrr_after_place
    __tcgrr_at ''; and contains -- (commandline -opc)[-1] --from --until
end

complete -c tcgrr -n 'test (count (commandline -opc)) -eq 1' -f -a '(__tcgrr_commands)'
complete -c tcgrr -n '__tcgrr_at 0 help' -f -a '(__tcgrr_commands)'
complete -c tcgrr -n '__tcgrr_at ""; and string match -q -- "-*" (commandline -ct)' -f -a '(__tcgrr_options)'
complete -c tcgrr -n '__tcgrr_at 1 report' -f -a '(__tcgrr_reports)'
complete -c tcgrr -n '__tcgrr_at 1 export' -f -a 'perfetto folded callgrind lcov uftrace tenet csv parquet'
complete -c tcgrr -n __tcgrr_after_place -f -a '(__tcgrr_symbols)'
