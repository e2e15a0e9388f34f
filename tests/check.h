/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For what returns false and an error; to be included after cmocka.h. */
#ifndef TCGRR_TESTS_CHECK_H
#define TCGRR_TESTS_CHECK_H

#include <glib.h>
#include <stdbool.h>

/* Fails the test with the error's text unless `good`. */
static inline void check(bool good, const GError *error)
{
    if (!good) {
        fail_msg("%s", error ? error->message : "failed without an error");
    }
}

#endif
