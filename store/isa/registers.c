/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/isa/registers.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name; /* with `prefix`: of which the name begins so */
    int prefix;
    enum tcgrr_register_kind kind;
} registers[] = {
    {"pc", 0, TCGRR_REGISTER_PC},
    {"rip", 0, TCGRR_REGISTER_PC},
    {"eip", 0, TCGRR_REGISTER_PC},
    {"pswa", 0, TCGRR_REGISTER_PC},
    {"npc", 0, TCGRR_REGISTER_PC},
    /* RISC-V */
    {"time", 0, TCGRR_REGISTER_COUNTER},
    {"timeh", 0, TCGRR_REGISTER_COUNTER},
    {"cycle", 0, TCGRR_REGISTER_COUNTER},
    {"cycleh", 0, TCGRR_REGISTER_COUNTER},
    {"instret", 0, TCGRR_REGISTER_COUNTER},
    {"instreth", 0, TCGRR_REGISTER_COUNTER},
    {"mcycle", 0, TCGRR_REGISTER_COUNTER},
    {"mcycleh", 0, TCGRR_REGISTER_COUNTER},
    {"minstret", 0, TCGRR_REGISTER_COUNTER},
    {"minstreth", 0, TCGRR_REGISTER_COUNTER},
    {"hpmcounter", 1, TCGRR_REGISTER_COUNTER},
    {"mhpmcounter", 1, TCGRR_REGISTER_COUNTER},
    {"stimecmp", 0, TCGRR_REGISTER_TIMER},
    {"vstimecmp", 0, TCGRR_REGISTER_TIMER},
    /* Arm */
    {"PMCCNTR", 1, TCGRR_REGISTER_COUNTER},
    {"PMEVCNTR", 1, TCGRR_REGISTER_COUNTER},
    {"CNT", 1, TCGRR_REGISTER_TIMER},
    /* PowerPC */
    {"tb", 0, TCGRR_REGISTER_COUNTER},
    {"tbl", 0, TCGRR_REGISTER_COUNTER},
    {"tbu", 0, TCGRR_REGISTER_COUNTER},
    {"tbu40", 0, TCGRR_REGISTER_COUNTER},
    {"atbl", 0, TCGRR_REGISTER_COUNTER},
    {"atbu", 0, TCGRR_REGISTER_COUNTER},
    {"vtb", 0, TCGRR_REGISTER_COUNTER},
    {"purr", 0, TCGRR_REGISTER_COUNTER},
    {"spurr", 0, TCGRR_REGISTER_COUNTER},
    {"dec", 0, TCGRR_REGISTER_COUNTER},
    {"decr", 0, TCGRR_REGISTER_COUNTER},
    {"hdec", 0, TCGRR_REGISTER_COUNTER},
    /* s390x */
    {"cputm", 0, TCGRR_REGISTER_COUNTER},
    {"ckc", 0, TCGRR_REGISTER_TIMER},
};

bool tcgrr_register_is_flags(const char *name)
{
    static const char *const names[] = {"eflags", "cpsr", "xpsr", "cr", "pswm", "psr", "state", "ps"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

enum tcgrr_register_kind tcgrr_register_kind(const char *name)
{
    for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
        const char *known = registers[i].name;
        if (registers[i].prefix ? strncmp(name, known, strlen(known)) == 0 : strcmp(name, known) == 0) {
            return registers[i].kind;
        }
    }
    return TCGRR_REGISTER_PLAIN;
}
