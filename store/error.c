/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/error.h"

/* G_DEFINE_QUARK() keeps it where threads would race for it. */
GQuark tcgrr_error_quark(void)
{
    return g_quark_from_static_string("tcgrr-error");
}
