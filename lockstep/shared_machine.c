/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/shared_machine.h"

#include "store/error.h"

#include <string.h>

static char **with_own(const struct tcgrr_pins *pins, const char *const *own)
{
    g_auto(GStrv) pinned = tcgrr_pins_resolve((const char *const *)pins->words, pins->folder);
    GStrvBuilder *words = g_strv_builder_new();

    g_strv_builder_addv(words, (const char **)pinned);
    if (own) {
        g_strv_builder_addv(words, (const char **)own);
    }
    char **joined = g_strv_builder_end(words);
    g_strv_builder_unref(words);
    return joined;
}

/* Pins what one of them makes, if the other one has it. */
static bool pin_as(struct tcgrr_shared_machine *machine, int maker, const struct tcgrr_qemu *const qemus[2],
                   const char *const *words, GError **error)
{
    if (!tcgrr_pin(qemus[maker], words, NULL, &machine->pins, error)) {
        return false;
    }
    if (!tcgrr_pin_check(qemus[!maker], machine->pins.machine, machine->pins.cpu, error)) {
        tcgrr_pins_clear(&machine->pins);
        return false;
    }
    machine->maker = maker;
    return true;
}

bool tcgrr_shared_machine_pin(struct tcgrr_shared_machine *machine, const struct tcgrr_qemu *const qemus[2],
                              const char *const *words, const char *const *const own[2], GError **error)
{
    GError *problem = NULL;

    if (!pin_as(machine, 0, qemus, words, &problem) && !pin_as(machine, 1, qemus, words, NULL)) {
        g_propagate_error(error, problem);
        return false;
    }
    g_clear_error(&problem);
    machine->pinned = g_regex_match_simple("-[0-9]+\\.[0-9]+$", machine->pins.machine, 0, 0) ||
                      tcgrr_pin_has_dtb((const char *const *)machine->pins.words);
    for (int i = 0; machine->pinned && i < 2; i++) {
        machine->words[i] = with_own(&machine->pins, own[i]);
    }
    if (!machine->pinned) {
        tcgrr_pins_clear(&machine->pins);
    }
    return true;
}

bool tcgrr_lockstep_same_release(const char *a, const char *b)
{
    const char *dot = strchr(a, '.');
    const char *end = dot ? strchr(dot + 1, '.') : NULL;
    return end ? strncmp(a, b, (size_t)(end - a) + 1) == 0 : strcmp(a, b) == 0;
}

bool tcgrr_lockstep_check_firmware(struct tcgrr_comparison *found, const char *target, const char *version_a,
                                   const char *version_b, GError **error)
{
    bool pc = strcmp(target, "i386") == 0 || strcmp(target, "x86_64") == 0;

    if (!found->diverged || !pc || tcgrr_lockstep_same_release(version_a, version_b)) {
        return true;
    }
    return tcgrr_comparison_withdraw(
        found, "two releases give a PC's firmware different data", error,
        "no verdict: from reset on the two differ at icount %" G_GUINT64_FORMAT
        ", but QEMU %s and %s give a PC's firmware different data (fw_cfg); --from WHERE, a symbol or address of "
        "the guest (0x100000 for Linux), leaves the firmware out",
        found->icount, version_a, version_b);
}

bool tcgrr_lockstep_check_log(struct tcgrr_comparison *found, const char *words, bool same_build, GError **error)
{
    bool ended = found->diverged && found->kind == TCGRR_DIVERGENCE_ENDED && !found->sides[1].there;
    const char *missing = strstr(words, same_build ? "event in the replay log" : "random event in the replay log");

    if (!ended || !missing) {
        return true;
    }
    return tcgrr_comparison_withdraw(
        found, "QEMU gave up the log", error,
        "no verdict: the same for %" G_GUINT64_FORMAT
        " instructions, then QEMU gave up its rr log, which says nothing about the guest (docs/rr-log.md): %s",
        found->compared, words);
}

void tcgrr_shared_machine_clear(struct tcgrr_shared_machine *machine)
{
    if (machine->pinned) {
        tcgrr_pins_clear(&machine->pins);
    }
    g_strfreev(machine->words[0]);
    g_strfreev(machine->words[1]);
    *machine = (struct tcgrr_shared_machine){0};
}
