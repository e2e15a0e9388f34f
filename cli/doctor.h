/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_CLI_DOCTOR_H
#define TCGRR_CLI_DOCTOR_H

#include "cli/cli.h"

/* Says what the QEMUs `names` would give a guest differently with these arguments, and what makes each of it the same.
 * Returns an exit status. */
int cli_doctor_pair(char *const names[2], char **arguments, const char *plugin, bool json);

#endif
