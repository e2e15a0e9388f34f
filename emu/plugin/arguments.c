/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/arguments.h"

#include <stdlib.h>
#include <string.h>

bool tcgrr_arguments_read(int argc, char **argv, struct tcgrr_arguments *arguments)
{
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "probe=", 6) == 0) {
            arguments->probe = atoi(argv[i] + 6);
        } else if (strncmp(argv[i], "slow=", 5) == 0) {
            arguments->slow = atoi(argv[i] + 5);
        } else if (strncmp(argv[i], "peek=", 5) == 0) {
            arguments->peek = atoi(argv[i] + 5);
        } else if (strncmp(argv[i], "fd=", 3) == 0) {
            arguments->fd = atoi(argv[i] + 3);
        } else if (strncmp(argv[i], "level=", 6) == 0) {
            arguments->level = argv[i] + 6;
        } else if (strncmp(argv[i], "inputs=", 7) == 0 || strncmp(argv[i], "given=", 6) == 0 ||
                   strncmp(argv[i], "followed=", 9) == 0) {
            arguments->mode = argv[i][0] == 'i'   ? TCGRR_INPUTS_RECORDING
                              : argv[i][0] == 'g' ? TCGRR_INPUTS_REPLAYING
                                                  : TCGRR_INPUTS_FOLLOWING;
            arguments->inputs = strchr(argv[i], '=') + 1;
        } else if (strncmp(argv[i], "at=", 3) == 0) {
            arguments->at = strtoull(argv[i] + 3, NULL, 10);
        } else if (strcmp(argv[i], "again=on") == 0) {
            arguments->again = true;
        } else if (strncmp(argv[i], "program=", 8) == 0) {
            arguments->follow.program = atoi(argv[i] + 8);
        } else if (strncmp(argv[i], "forks=", 6) == 0) {
            arguments->forks = argv[i] + 6;
        } else if (strncmp(argv[i], "pause=", 6) == 0) {
            arguments->pause = argv[i] + 6;
        } else if (strcmp(argv[i], "follow=none") == 0) {
            arguments->follow.none = true;
        } else if (strncmp(argv[i], "api=", 4) == 0) {
            continue; /* already handled, before QEMU called us */
        } else if (strcmp(argv[i], "texts=on") == 0) {
            arguments->texts = true;
        } else if (strcmp(argv[i], "log=on") == 0) {
            arguments->log = true;
        } else if (strncmp(argv[i], "from=", 5) == 0) {
            arguments->window.from = strtoull(argv[i] + 5, NULL, 10);
        } else if (strncmp(argv[i], "from-code=", 10) == 0) {
            arguments->window.has_from_pc = arguments->window.in_code = true;
            arguments->window.from_pc = strtoull(argv[i] + 10, NULL, 10);
        } else if (strncmp(argv[i], "from-pc=", 8) == 0) {
            arguments->window.has_from_pc = true;
            arguments->window.from_pc = strtoull(argv[i] + 8, NULL, 10);
        } else {
            return false;
        }
    }
    return true;
}
