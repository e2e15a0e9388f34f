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
                      tcgrr_pin_has_dtb((const char *const *)machine->pins.words) || machine->pins.files->len > 0;
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

/* A PC's firmware reads what QEMU made for it, which no option pins. */
static bool check_firmware(struct tcgrr_comparison *found, const char *const versions[2], const char *advice,
                           GError **error)
{
    return tcgrr_comparison_withdraw(
        found, "two releases give a PC's firmware different data", error,
        "no verdict: from reset on the two differ at icount %" G_GUINT64_FORMAT
        ", but QEMU %s and %s give a PC's firmware different data (fw_cfg); %s WHERE, a symbol or address of "
        "the guest (0x100000 for Linux), leaves the firmware out",
        found->icount, versions[0], versions[1], advice);
}

static bool check_start(struct tcgrr_comparison *found, const char *const versions[2], const char *advice,
                        GError **error)
{
    const struct tcgrr_divergence_side *sides = found->sides;

    if (found->compared > 0 || !sides[0].there || !sides[1].there) {
        return true;
    }
    g_autofree char *how =
        sides[0].pc == sides[1].pc
            ? g_strdup_printf("with different code at 0x%" G_GINT64_MODIFIER "x", sides[0].pc)
            : g_strdup_printf("one at 0x%" G_GINT64_MODIFIER "x and one at 0x%" G_GINT64_MODIFIER "x", sides[0].pc,
                              sides[1].pc);
    return tcgrr_comparison_withdraw(
        found, "two releases start the guest differently", error,
        "no verdict: QEMU %s and %s start the guest differently, %s, so the machines are not the same; %s WHERE, a "
        "symbol or address of the guest, leaves the firmware out",
        versions[0], versions[1], how, advice);
}

bool tcgrr_lockstep_check_machines(struct tcgrr_comparison *found, const char *target, const char *const versions[2],
                                   const char *advice, GError **error)
{
    bool pc = strcmp(target, "i386") == 0 || strcmp(target, "x86_64") == 0;

    if (!found->diverged || tcgrr_lockstep_same_release(versions[0], versions[1])) {
        return true;
    }
    return pc ? check_firmware(found, versions, advice, error) : check_start(found, versions, advice, error);
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
