/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's rules, which its own count follows: an instruction whose run-time helper raises an exception has not retired;
 * one that QEMU knew to trap when it translated it (ecall, svc, undefined) has; a device access in the middle of a
 * block is rolled back and repeated in a block of its own, for which only memory callbacks come; code that modifies
 * itself is rolled back and the storing instruction starts a new block.
 */
#include "emu/live/retire.h"

#include "emu/rrlog/format.h"

#include <string.h>

static bool next_is(const struct tcgrr_departure *departure, uint64_t pc)
{
    return departure->has_next && departure->next_pc == pc;
}

static void infer(const struct tcgrr_departure *departure, struct tcgrr_retirement *retirement,
                  enum tcgrr_discontinuity kind, uint64_t from)
{
    if (!departure->reports_discon && departure->has_next) {
        retirement->inferred = kind;
        retirement->has_from = true;
        retirement->from_pc = from;
    }
}

/* The instruction at `mark` is not the block's last one: the block was certainly left there. */
static void left_inside(const struct tcgrr_departure *departure, uint64_t pc, const struct tcgrr_insn_class *left,
                        struct tcgrr_retirement *retirement)
{
    const struct tcgrr_block *block = departure->block;
    uint64_t following = pc + block->lengths[departure->mark];
    bool waited = left->leave == TCGRR_LEAVE_WAIT &&
                  !(departure->discon == TCGRR_DISCON_EXCEPTION && departure->discon_from == pc);

    if (block->lengths[block->insns - 1] > 0 && next_is(departure, block->pc + block->size) &&
        departure->discon == TCGRR_DISCON_NONE) {
        /* It continued right after the block: the report of its end was lost. */
        retirement->ran = block->insns;
        retirement->counted = block->insns;
        return;
    }
    retirement->ran = departure->mark;
    retirement->counted = departure->mark;
    if (departure->rerun || waited || next_is(departure, following)) {
        retirement->ran++;
        retirement->counted = waited ? block->insns : retirement->ran;
        if (!next_is(departure, following)) {
            infer(departure, retirement, TCGRR_DISCON_INTERRUPT, following);
        }
    } else if (!next_is(departure, pc)) {
        infer(departure, retirement, TCGRR_DISCON_EXCEPTION, pc);
    }
}

/*
 * Whether an exception reported at the last instruction itself came before it retired. If a block ends with an
 * unclassified instruction, it is mostly because QEMU found that it traps, so that is assumed to count.
 */
static bool fault_before_end(const struct tcgrr_departure *departure, uint64_t pc, const struct tcgrr_insn_class *last)
{
    return departure->discon == TCGRR_DISCON_EXCEPTION && departure->discon_from == pc &&
           last->leave != TCGRR_LEAVE_TRAP && last->leave != TCGRR_LEAVE_UNKNOWN;
}

/*
 * That is not sure: a replay ends blocks where it expects an exception, and not all that is unclassified traps. Nor is
 * the address from which one is reported always the instruction's: in a delay slot it is that of the branch. QEMU may
 * refuse an instruction when it translates it, and counts it then, or when it runs: one of the system's for lack of
 * privilege (AArch64's mrs of an ID register by a program), or an access with a coprocessor that is off (Arm's vpush,
 * with which a program under Linux uses its first floating-point register). The latter is rare among the faults of
 * accesses, so without a log it does not justify a doubt about each of them.
 */
static bool unclear_fault(const struct tcgrr_departure *departure, const struct tcgrr_insn_class *last)
{
    return departure->discon == TCGRR_DISCON_EXCEPTION &&
           (last->leave == TCGRR_LEAVE_UNKNOWN || last->leave == TCGRR_LEAVE_SYSTEM ||
            (last->leave == TCGRR_LEAVE_MEMORY && departure->log_decides));
}

/*
 * Whether it starts its block over at the same pc without having retired. A repeated string instruction goes there
 * after retiring, and so does one that may go anywhere, which is mostly a branch to itself, with which many guests end.
 */
static bool restarts(const struct tcgrr_departure *departure, uint64_t pc, const struct tcgrr_insn_class *last)
{
    bool repeats = last->leave != TCGRR_LEAVE_MEMORY && last->flow == TCGRR_FLOW_BRANCH && last->target == pc;
    bool may_branch = last->leave == TCGRR_LEAVE_UNKNOWN && last->flow != TCGRR_FLOW_NEXT;
    return next_is(departure, pc) && last->leave != TCGRR_LEAVE_TRAP && !may_branch && !repeats;
}

/*
 * Whether an instruction that accesses memory can retire without an access: if it is conditional (a T32 one depends on
 * the code before it), has lost its exclusive access, or is repeated zero times.
 */
static bool may_skip_access(const struct tcgrr_departure *departure, const struct tcgrr_insn_class *last)
{
    const struct tcgrr_block *block = departure->block;
    uint32_t word = 0;

    if (block->lengths[block->insns - 1] == 4) {
        const uint8_t *bytes = block->bytes + block->size - 4;
        word = bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    }
    switch (departure->isa) {
    case TCGRR_ISA_ARM:
        return true;
    case TCGRR_ISA_AARCH64:
        return (word & 0x3fc00000) == 0x08000000; /* stxr, stxp */
    case TCGRR_ISA_RISCV:
        return (word & 0xf800607f) == 0x1800202f; /* sc */
    case TCGRR_ISA_X86:
        return last->flow == TCGRR_FLOW_BRANCH;
    default:
        return false;
    }
}

/* The last instruction, whose end was not seen, on a QEMU that does not report discontinuities. */
static void guess_last(const struct tcgrr_departure *departure, uint64_t pc, const struct tcgrr_insn_class *last,
                       struct tcgrr_retirement *retirement)
{
    uint64_t following = pc + departure->block->lengths[departure->mark];

    if (!departure->has_next && departure->died && last->leave == TCGRR_LEAVE_MEMORY) {
        retirement->ran = departure->mark; /* its access was not seen to end */
    }
    if (!departure->has_next || next_is(departure, following)) {
        return;
    }
    if (last->leave == TCGRR_LEAVE_MEMORY || restarts(departure, pc, last)) {
        retirement->ran = departure->mark;
        if (!next_is(departure, pc)) {
            infer(departure, retirement, TCGRR_DISCON_EXCEPTION, pc);
            retirement->assumed =
                last->leave == TCGRR_LEAVE_MEMORY && (departure->log_decides || may_skip_access(departure, last));
        }
    } else if (last->leave == TCGRR_LEAVE_TRAP) {
        infer(departure, retirement, TCGRR_DISCON_EXCEPTION, pc);
    } else if (last->flow == TCGRR_FLOW_NEXT) {
        /* An interrupt right after it, much more often than a privilege fault at it. */
        infer(departure, retirement, TCGRR_DISCON_INTERRUPT, following);
        retirement->assumed = true;
    } else {
        retirement->assumed = last->leave == TCGRR_LEAVE_UNKNOWN && !next_is(departure, pc);
    }
}

static void left_at_last(const struct tcgrr_departure *departure, uint64_t pc, const struct tcgrr_insn_class *last,
                         struct tcgrr_retirement *retirement)
{
    retirement->ran = departure->mark + 1;
    if (departure->rerun) {
        return;
    }
    if (!departure->reports_discon) {
        guess_last(departure, pc, last, retirement);
        return;
    }
    retirement->assumed = unclear_fault(departure, last);
    bool restarted = departure->discon == TCGRR_DISCON_NONE && restarts(departure, pc, last);
    bool interrupted_before = departure->discon == TCGRR_DISCON_INTERRUPT && departure->discon_from == pc &&
                              last->leave == TCGRR_LEAVE_MEMORY;
    if (fault_before_end(departure, pc, last) || restarted || interrupted_before) {
        retirement->ran = departure->mark;
    }
}

/* The end was seen. That may be due to an access of the last instruction, of which a later access failed. */
static void ran_to_end(const struct tcgrr_departure *departure, uint64_t last_pc, const struct tcgrr_insn_class *last,
                       struct tcgrr_retirement *retirement)
{
    retirement->ran = departure->block->insns;
    retirement->assumed = unclear_fault(departure, last);
    if (last->leave != TCGRR_LEAVE_NEVER && fault_before_end(departure, last_pc, last)) {
        retirement->ran--;
    } else if (last->leave == TCGRR_LEAVE_TRAP) {
        infer(departure, retirement, TCGRR_DISCON_EXCEPTION, last_pc);
    }
}

/* The last instruction waited: QEMU undoes counting it, and continues after it. */
static bool dozed(const struct tcgrr_departure *departure, uint64_t pc, const struct tcgrr_insn_class *last,
                  struct tcgrr_retirement *retirement)
{
    uint64_t following = pc + departure->block->lengths[departure->block->insns - 1];

    if (last->leave != TCGRR_LEAVE_DOZE ||
        (departure->discon == TCGRR_DISCON_EXCEPTION && departure->discon_from == pc)) {
        return false;
    }
    retirement->ran = departure->block->insns - 1;
    if (!next_is(departure, following)) {
        infer(departure, retirement, TCGRR_DISCON_INTERRUPT, following);
    }
    return true;
}

/* 11.1 is known to count differently; development builds from 10.2 on may, too. */
static bool counts_waits(const char *version)
{
    struct tcgrr_rr_release release;
    bool known = tcgrr_rr_release_parse(version, &release);
    return known && (release.major < 10 || (release.major == 10 && (release.minor < 2 || release.micro < 50)));
}

bool tcgrr_retire_same_wait_count(const char *target, const char *from, const char *to)
{
    return strncmp(target, "riscv", strlen("riscv")) != 0 || counts_waits(from) == counts_waits(to) ||
           !counts_waits(from);
}

bool tcgrr_retire_starts_uncounted(const char *target, const char *version)
{
    static const struct {
        const char *target;
        unsigned until; /* the first major release that counts from the start */
    } rows[] = {{"alpha", 11}, {"hppa", 10}};
    struct tcgrr_rr_release release;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (strcmp(rows[i].target, target) == 0) {
            return tcgrr_rr_release_parse(version, &release) && release.major < rows[i].until;
        }
    }
    return false;
}

void tcgrr_retire(const struct tcgrr_departure *departure, struct tcgrr_retirement *retirement)
{
    const struct tcgrr_block *block = departure->block;
    struct tcgrr_insn_class found[TCGRR_MAX_INSNS];
    const struct tcgrr_insn_class *classes = departure->classes ? departure->classes : found;
    uint32_t last = block->insns - 1;

    *retirement = (struct tcgrr_retirement){0};
    if (!departure->classes) {
        tcgrr_isa_classify(departure->isa, block->pc, block->bytes, block->lengths, block->insns, found);
    }
    if (departure->inside && departure->mark < block->insns) {
        retirement->ran = departure->mark + 1;
        retirement->counted = retirement->ran;
        return;
    }
    if (departure->mark >= last && dozed(departure, tcgrr_block_pc(block, last), &classes[last], retirement)) {
        retirement->counted = retirement->ran;
        return;
    }
    if (departure->mark >= block->insns) {
        ran_to_end(departure, tcgrr_block_pc(block, last), &classes[last], retirement);
    } else if (departure->mark == last) {
        left_at_last(departure, tcgrr_block_pc(block, last), &classes[last], retirement);
    } else {
        left_inside(departure, tcgrr_block_pc(block, departure->mark), &classes[departure->mark], retirement);
        return;
    }
    retirement->counted = retirement->ran;
}
