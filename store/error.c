/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/error.h"

G_DEFINE_QUARK(tcgrr - error, tcgrr_error)
