/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_CLI_DOCTOR_H
#define TCGRR_CLI_DOCTOR_H

#include "cli/cli.h"

/* Prints how the machines that the QEMUs `names` make from these arguments differ, and how to make each of these the
 * same. Returns an exit status. */
int cli_doctor_pair(char *const names[2], char **arguments, const char *plugin, bool json);

#endif
