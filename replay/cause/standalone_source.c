/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/standalone_internal.h"

#include <limits.h>
#include <string.h>

#define NO_BASE     UINT_MAX
#define NEAR_BYTES  0x10000  /* maximum distance from a base register's value to an address */
#define IMAGE_BYTES 0x100000 /* at most */
#define FLAGS_X86   0xcd5    /* the flags that code may change by itself, not those that steer the machine */
#define FLAGS_ARM   0xf0000000
#define MSR_SF      (UINT64_C(1) << 63) /* PowerPC: 64-bit mode */
#define MSR_LE      1
#define STATUS_FR   (1 << 26) /* MIPS: floating-point registers have 64 bits each */

/* The templates in standalone/, as they are. */
#define TEMPLATE(name, file)                                                                                           \
    __asm__(".pushsection .rodata\n" #name ":\n.incbin \"" TCGRR_STANDALONE "/" file "\"\n.byte 0\n.popsection\n");    \
    extern const char name[]
TEMPLATE(tcgrr_template_x86, "x86.S");
TEMPLATE(tcgrr_template_aarch64, "aarch64.S");
TEMPLATE(tcgrr_template_riscv64, "riscv64.S");
TEMPLATE(tcgrr_template_ppc64, "ppc64.S");
TEMPLATE(tcgrr_template_s390x, "s390x.S");
TEMPLATE(tcgrr_template_mips64, "mips64.S");

/* A piece of memory that the code accesses. */
struct piece {
    uint64_t address; /* where the guest has it */
    uint16_t size;
    const uint8_t *bytes;
};

struct writing {
    const struct tcgrr_stage *stage;
    const struct tcgrr_cause_scene *scene;
    const struct tcgrr_stop *begin; /* the stop whose state the guest starts with */
    GArray *pieces;                 /* struct piece */
    unsigned base;                  /* the register that is moved; NO_BASE: none */
    uint64_t delta;                 /* by so much */
    GString *text;
};

static bool in_ram(const struct tcgrr_stage *stage, uint64_t address, uint16_t size)
{
    bool inside = address >= stage->ram[0] && address + size <= stage->ram[1];
    return inside && (address + size <= stage->image || address >= stage->image + IMAGE_BYTES);
}

static bool overlaps(const GArray *pieces, uint64_t address, uint16_t size)
{
    for (guint i = 0; i < pieces->len; i++) {
        const struct piece *piece = &g_array_index(pieces, struct piece, i);
        if (piece->address < address + size && address < piece->address + piece->size) {
            return true;
        }
    }
    return false;
}

/* The base register of the address that the instruction at a stop accesses; NO_BASE: none is known. */
static unsigned base_of(const struct writing *writing, const struct tcgrr_stop *stop,
                        const struct tcgrr_touched *touched)
{
    const struct tcgrr_register_layout *registers = writing->scene->registers[0];

    for (guint i = 0; i < stop->inputs.bases->len; i++) {
        unsigned index = g_array_index(stop->inputs.bases, unsigned, i);
        uint64_t value = tcgrr_state_number(registers, stop->state, g_ptr_array_index(registers->list, index));
        if (touched->operand.address - value < NEAR_BYTES || value - touched->operand.address < NEAR_BYTES) {
            return index;
        }
    }
    return NO_BASE;
}

/* Data that is elsewhere is moved to the same place in a page of RAM, with the register that points to it. */
static bool place(struct writing *writing, const struct tcgrr_touched *touched, unsigned base, bool move,
                  uint64_t *address)
{
    bool fits = in_ram(writing->stage, touched->operand.address, touched->size);

    *address = touched->operand.address;
    if (base != NO_BASE && base == writing->base) {
        *address += writing->delta;
        return in_ram(writing->stage, *address, touched->size);
    }
    if (fits || !move || base == NO_BASE || writing->base != NO_BASE) {
        return fits;
    }
    uint64_t page = (writing->stage->ram[0] + 0x200000) & ~UINT64_C(0xffff);
    writing->base = base;
    writing->delta = page + (*address & 0xfff) - *address;
    *address += writing->delta;
    return true;
}

static bool collect_memory(struct writing *writing, guint first, guint last, bool move)
{
    for (guint i = first; i <= last; i++) {
        const struct tcgrr_stop *stop = g_ptr_array_index(writing->scene->stops[0], i);
        for (guint k = 0; k < stop->touched->len; k++) {
            const struct tcgrr_touched *touched = &g_array_index(stop->touched, struct tcgrr_touched, k);
            struct piece piece = {.size = touched->size, .bytes = touched->before};
            if (!touched->ram || !place(writing, touched, base_of(writing, stop, touched), move, &piece.address)) {
                return false;
            }
            /* The previous content of a store's target is irrelevant, but the target has to exist, and the stored value
             * matters. */
            if (!overlaps(writing->pieces, piece.address, piece.size)) {
                g_array_append_val(writing->pieces, piece);
            }
        }
    }
    return true;
}

/* ---- registers ---- */

static const struct tcgrr_register *find(const struct writing *writing, const char *name)
{
    return tcgrr_register_layout_find(writing->scene->registers[0], name);
}

/* 8 bytes of a register's value from `byte` on, as the guest gets them. */
static uint64_t part_of(const struct writing *writing, const struct tcgrr_register *reg, unsigned byte)
{
    uint64_t value = 0;
    if (reg && tcgrr_state_knows(writing->begin->state, reg->index)) {
        const uint8_t *bytes = tcgrr_state_value(writing->begin->state, reg);
        for (unsigned i = 0; i < 8 && byte + i < reg->bytes; i++) {
            bool big = writing->scene->registers[0]->big_endian;
            value = big ? value << 8 | bytes[byte + i] : value | (uint64_t)bytes[byte + i] << 8 * i;
        }
    }
    return byte == 0 && reg && reg->index == writing->base ? value + writing->delta : value;
}

static G_GNUC_PRINTF(2, 3) void put(struct writing *writing, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    g_string_append_vprintf(writing->text, format, list);
    va_end(list);
}

static void put_quad(struct writing *writing, uint64_t value)
{
    put(writing, "    .quad   0x%" G_GINT64_MODIFIER "x\n", value);
}

static void put_vectors(struct writing *writing, const char *const *prefixes, unsigned count, unsigned bytes)
{
    put(writing, "    .balign 16\nvectors:\n");
    for (unsigned i = 0; i < count; i++) {
        const struct tcgrr_register *reg = NULL;
        for (const char *const *prefix = prefixes; *prefix && !reg; prefix++) {
            g_autofree char *name = g_strdup_printf("%s%u", *prefix, i);
            reg = find(writing, name);
        }
        for (unsigned byte = 0; byte < bytes; byte += 8) {
            put_quad(writing, part_of(writing, reg, byte));
        }
    }
}

/* One line of the guest's output. */
static void put_name(struct writing *writing, const char *name, const char *label, uint64_t offset, unsigned bytes)
{
    put(writing, "    .asciz  \"%s\"\n", name);
    if (writing->stage->x86) {
        put(writing, "    .long   %s + 0x%" G_GINT64_MODIFIER "x, %u\n", label, offset, bytes);
    } else {
        put(writing, "    .balign 8\n    .quad   %s + 0x%" G_GINT64_MODIFIER "x, %u\n", label, offset, bytes);
    }
}

static void put_numbered(struct writing *writing, const char *prefix, unsigned first, unsigned count, const char *label,
                         unsigned bytes)
{
    for (unsigned i = first; i < count; i++) {
        g_autofree char *name = g_strdup_printf("%s%u", prefix, i);
        put_name(writing, name, label, (uint64_t)i * bytes, bytes);
    }
}

static void put_memory(struct writing *writing)
{
    put(writing, "    .balign 8\nmemory: /* address, bytes, content */\n");
    for (guint i = 0; i < writing->pieces->len; i++) {
        const struct piece *piece = &g_array_index(writing->pieces, struct piece, i);
        put(writing, "    .quad   0x%" G_GINT64_MODIFIER "x, %u\n    .byte   ", piece->address, piece->size);
        for (uint16_t k = 0; k < piece->size; k++) {
            put(writing, "%s0x%02x", k ? ", " : "", piece->bytes[k]);
        }
        put(writing, "\n    .balign 8\n");
    }
    put(writing, "    .quad   0, 0\n");
}

static void put_memory_names(struct writing *writing)
{
    for (guint i = 0; i < writing->pieces->len; i++) {
        const struct piece *piece = &g_array_index(writing->pieces, struct piece, i);
        g_autofree char *name = g_strdup_printf("memory[0x%" G_GINT64_MODIFIER "x]", piece->address);
        put_name(writing, name, "0", piece->address, piece->size);
    }
    put(writing, "    .byte   0\n    .balign 8\n");
}

/* ---- the tables of each target ---- */

static void put_x86(struct writing *writing)
{
    static const char *const wide[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8",
                                       "r9",  "r10", "r11", "r12", "r13", "r14", "r15", NULL};
    static const char *const narrow[] = {"eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "esp", NULL};
    static const struct {
        const char *name;
        unsigned bytes;
    } modes[] = {{"eflags", 4}, {"mxcsr", 4}, {"fctrl", 2}, {"fstat", 2}};
    static const char *const prefixes[] = {"xmm", NULL};
    bool is_wide = writing->stage->wide;
    const char *const *names = is_wide ? wide : narrow;
    unsigned vectors = is_wide ? 16 : 8;

    for (size_t i = 0; names[i]; i++) {
        const struct tcgrr_register *reg = find(writing, names[i]);
        uint64_t value = part_of(writing, reg ? reg : find(writing, wide[i]), 0);
        put(writing, "state_%s:\n", names[i]);
        put_quad(writing, is_wide ? value : (uint32_t)value);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        uint64_t value = part_of(writing, find(writing, modes[i].name), 0);
        put(writing, "state_%s:\n", modes[i].name);
        put_quad(writing, i == 0 ? (value & FLAGS_X86) | 2 : value);
    }
    put_vectors(writing, prefixes, vectors, 16);
    put_memory(writing);
    put(writing, "names:\n");
    for (size_t i = 0; names[i]; i++) {
        g_autofree char *label = g_strdup_printf("state_%s", names[i]);
        put_name(writing, names[i], label, 0, is_wide ? 8 : 4);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        g_autofree char *label = g_strdup_printf("state_%s", modes[i].name);
        put_name(writing, modes[i].name, label, 0, modes[i].bytes);
    }
    put_numbered(writing, "xmm", 0, vectors, "vectors", 16);
}

static void put_aarch64(struct writing *writing)
{
    static const char *const prefixes[] = {"v", "z", NULL};

    put(writing, "state: /* x0 to x30, sp, nzcv, fpcr, fpsr */\n");
    for (unsigned i = 0; i < 31; i++) {
        g_autofree char *name = g_strdup_printf("x%u", i);
        put_quad(writing, part_of(writing, find(writing, name), 0));
    }
    put_quad(writing, part_of(writing, find(writing, "sp"), 0));
    put_quad(writing, part_of(writing, find(writing, "cpsr"), 0) & FLAGS_ARM);
    put_quad(writing, part_of(writing, find(writing, "fpcr"), 0));
    put_quad(writing, part_of(writing, find(writing, "fpsr"), 0));
    put_vectors(writing, prefixes, 32, 16);
    put_memory(writing);
    put(writing, "names:\n");
    put_numbered(writing, "x", 0, 31, "state", 8);
    put_name(writing, "sp", "state", 248, 8);
    put_name(writing, "nzcv", "state", 256, 4);
    put_name(writing, "fpcr", "state", 264, 4);
    put_name(writing, "fpsr", "state", 272, 4);
    put_numbered(writing, "v", 0, 32, "vectors", 16);
}

/* By number, because their names vary: 0 to 31 are the integer registers, 33 to 64 the floating-point ones. */
static const struct tcgrr_register *riscv_register(const struct writing *writing, unsigned number)
{
    const GPtrArray *list = writing->scene->registers[0]->list;
    for (guint i = 0; i < list->len; i++) {
        const struct tcgrr_register *reg = g_ptr_array_index(list, i);
        if (reg->number == number) {
            return reg;
        }
    }
    return NULL;
}

static void put_riscv64(struct writing *writing)
{
    uint64_t fcsr = part_of(writing, find(writing, "fcsr"), 0) | part_of(writing, find(writing, "frm"), 0) << 5 |
                    part_of(writing, find(writing, "fflags"), 0);

    put(writing, "state: /* fcsr, x1 to x31 */\n");
    put_quad(writing, fcsr);
    for (unsigned i = 1; i < 32; i++) {
        put_quad(writing, part_of(writing, riscv_register(writing, i), 0));
    }
    put(writing, "    .balign 16\nvectors:\n");
    for (unsigned i = 0; i < 32; i++) {
        put_quad(writing, part_of(writing, riscv_register(writing, 33 + i), 0));
    }
    put_memory(writing);
    put(writing, "names:\n");
    put_numbered(writing, "x", 1, 32, "state", 8);
    put_name(writing, "fcsr", "state", 0, 4);
    put_numbered(writing, "f", 0, 32, "vectors", 8);
}

static uint64_t value_of(const struct writing *writing, const char *name)
{
    return part_of(writing, find(writing, name), 0);
}

/* PREFIX0 to PREFIXn. */
static void put_values(struct writing *writing, const char *prefix, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        g_autofree char *name = g_strdup_printf("%s%u", prefix, i);
        put_quad(writing, value_of(writing, name));
    }
}

static void put_ppc64(struct writing *writing)
{
    static const char *const special[] = {"cr", "lr", "ctr", "xer", "fpscr"};

    put(writing, "state: /* r0 to r31, cr, lr, ctr, xer, fpscr; one to put away */\n");
    put_values(writing, "r", 32);
    for (size_t i = 0; i < G_N_ELEMENTS(special); i++) {
        put_quad(writing, value_of(writing, special[i]));
    }
    put_quad(writing, 0);
    put(writing, "    .balign 16\nvectors:\n");
    for (unsigned i = 0; i < 64; i++) {
        /* The first half of the lower 32 are the floating-point registers; the others are those of AltiVec. */
        g_autofree char *high = i < 32 ? g_strdup_printf("f%u", i) : g_strdup_printf("vr%u", i - 32);
        g_autofree char *low = g_strdup_printf("vs%uh", i);
        put_quad(writing, value_of(writing, high));
        put_quad(writing, i < 32 ? value_of(writing, low) : part_of(writing, find(writing, high), 8));
    }
    put_memory(writing);
    put(writing, "names:\n");
    put_numbered(writing, "r", 0, 32, "state", 8);
    for (unsigned i = 0; i < G_N_ELEMENTS(special); i++) {
        put_name(writing, special[i], "state", 256 + 8 * i, 8);
    }
    put_numbered(writing, "vs", 0, 64, "vectors", 16);
}

static void put_s390x(struct writing *writing)
{
    put(writing, "    .balign 8\nstate: /* r0 to r15, fpc, condition code and program mask */\n");
    put_values(writing, "r", 16);
    put_quad(writing, value_of(writing, "fpc"));
    put_quad(writing, (value_of(writing, "pswm") >> 40 & 0x3f) << 24);
    put(writing, "    .balign 16\nvectors:\n");
    for (unsigned i = 0; i < 32; i++) {
        /* The first half of the lower 16 are the floating-point registers. */
        g_autofree char *high = g_strdup_printf("%c%u", i < 16 ? 'f' : 'v', i);
        g_autofree char *low = g_strdup_printf("v%ul", i);
        put_quad(writing, value_of(writing, high));
        put_quad(writing, i < 16 ? value_of(writing, low) : part_of(writing, find(writing, high), 8));
    }
    put_memory(writing);
    put(writing, "names:\n");
    put_numbered(writing, "r", 0, 16, "state", 8);
    put_name(writing, "fpc", "state", 132, 4);
    put_name(writing, "cc", "state", 140, 1);
    put_numbered(writing, "v", 0, 32, "vectors", 16);
}

static void put_mips64(struct writing *writing)
{
    static const char *const special[] = {"lo", "hi", "fcsr"};

    put(writing, "    .balign 8\nstate: /* r0 to r31, lo, hi, fcsr */\n");
    put_values(writing, "r", 32);
    for (size_t i = 0; i < G_N_ELEMENTS(special); i++) {
        put_quad(writing, value_of(writing, special[i]));
    }
    put(writing, "vectors:\n");
    put_values(writing, "f", 32);
    put_memory(writing);
    put(writing, "names:\n");
    put_numbered(writing, "r", 1, 32, "state", 8);
    for (unsigned i = 0; i < G_N_ELEMENTS(special); i++) {
        put_name(writing, special[i], "state", 256 + 8 * i, 8);
    }
    put_numbered(writing, "f", 0, 32, "vectors", 8);
}

static void put_code(struct writing *writing, guint first, guint last)
{
    put(writing, "    .macro  RUN_CODE\n");
    for (guint i = first; i <= last; i++) {
        const struct tcgrr_stop *stop = g_ptr_array_index(writing->scene->stops[0], i);
        put(writing, "    .byte   ");
        for (uint8_t k = 0; k < stop->length; k++) {
            put(writing, "%s0x%02x", k ? ", " : "", stop->bytes[k]);
        }
        put(writing, " /* 0x%" G_GINT64_MODIFIER "x */\n", stop->address);
    }
    put(writing, "    .endm\n");
}

char *tcgrr_standalone_source(const struct tcgrr_stage *stage, const struct tcgrr_cause_scene *scene, guint first,
                              guint last, bool move, bool *moved)
{
    struct writing writing = {
        .stage = stage,
        .scene = scene,
        .begin = g_ptr_array_index(scene->stops[0], first),
        .pieces = g_array_new(FALSE, FALSE, sizeof(struct piece)),
        .base = NO_BASE,
        .text = g_string_new(NULL),
    };
    bool good = collect_memory(&writing, first, last, move);

    if (good) {
        if (stage->x86) {
            put(&writing, "    .set    WIDE, %d\n", stage->wide);
        } else if (stage->template == tcgrr_template_mips64) {
            put(&writing, "    .set    FULL, %d\n", (value_of(&writing, "status") & STATUS_FR) != 0);
        }
        put_code(&writing, first, last);
        put(&writing, "\n%s\n    .data\n    .balign 4096\n", stage->template);
        stage->put_tables(&writing);
        put_memory_names(&writing);
    }
    g_array_unref(writing.pieces);
    *moved = writing.base != NO_BASE;
    return g_string_free(writing.text, !good);
}

/* ---- stages ---- */

static const char *const clang_i386[] = {"--target=i386-unknown-none-elf", "-Wl,-N", "-Wl,-Ttext=0x4000000", NULL};
static const char *const clang_x86_64[] = {"--target=x86_64-unknown-none-elf", "-Wl,-N", "-Wl,-Ttext=0x4000000", NULL};
static const char *const clang_aarch64[] = {"--target=aarch64-unknown-none-elf", "-Wl,-Ttext=0x44000000", NULL};
static const char *const clang_riscv64[] = {
    "--target=riscv64-unknown-elf",         "-march=rv64gc",         "-mno-relax",
    "-Wl,--section-start=.boot=0x80000000", "-Wl,-Ttext=0x84000000", NULL};
static const char *const clang_ppc64[] = {"--target=powerpc64-linux-gnu",
                                          "-mcpu=pwr8",
                                          "-mabi=elfv2",
                                          "-Wl,--oformat=binary",
                                          "-Wl,-N",
                                          "-Wl,-Ttext=0",
                                          NULL};
static const char *const clang_s390x[] = {"--target=s390x-linux-gnu", "-march=z14", "-Wl,-Ttext=0x4000000", NULL};
static const char *const clang_mips64[] = {"--target=mips64-linux-gnuabi64",
                                           "-march=mips64r2",
                                           "-fno-pic",
                                           "-mno-abicalls",
                                           "-Wl,-e,_start",
                                           "-Wl,-Ttext=0xffffffff82000000",
                                           NULL};
static const char *const machine_x86[] = {"-M", "pc", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", NULL};
static const char *const machine_aarch64[] = {"-M", "virt", NULL};
static const char *const machine_riscv64[] = {"-M", "virt", "-bios", "none", NULL};
static const char *const machine_ppc64[] = {"-M", "pseries", NULL};
static const char *const machine_s390x[] = {"-M", "s390-ccw-virtio", NULL};
/* The board's own serial port is the third. */
static const char *const machine_mips64[] = {"-M", "malta", "-serial", "null", "-serial", "null", NULL};

#define MIPS_KSEG0 UINT64_C(0xffffffff80000000)
#define ELF        .option = "-kernel", .file = "guest.elf"

static const struct tcgrr_stage stage_i386 = {
    tcgrr_template_x86,          put_x86, clang_i386, .machine = machine_x86, ELF, .x86 = true, .image = 0x4000000,
    .ram = {0x100000, 0x7000000}};
static const struct tcgrr_stage stage_x86_64 = {
    tcgrr_template_x86, put_x86,      clang_x86_64,       .machine = machine_x86,      ELF,
    .x86 = true,        .wide = true, .image = 0x4000000, .ram = {0x100000, 0x7000000}};
static const struct {
    const char *target;
    struct tcgrr_stage stage;
} stages[] = {
    {"aarch64",
     {tcgrr_template_aarch64, put_aarch64, clang_aarch64, .machine = machine_aarch64, ELF, .cpu = "max",
      .image = 0x44000000, .ram = {0x40100000, 0x47000000}}},
    {"riscv64",
     {tcgrr_template_riscv64, put_riscv64, clang_riscv64, .machine = machine_riscv64, ELF, .image = 0x84000000,
      .ram = {0x80001000, 0x87000000}}},
    {"ppc64",
     {tcgrr_template_ppc64, put_ppc64, clang_ppc64, .machine = machine_ppc64, .option = "-bios", .file = "guest.bin",
      .image = 0, .ram = {0, 0x7000000}}},
    {"s390x",
     {tcgrr_template_s390x, put_s390x, clang_s390x, .linker = "s390x-linux-gnu-ld", .machine = machine_s390x, ELF,
      .image = 0x4000000, .ram = {0x10000, 0x7000000}}},
    {"mips64",
     {tcgrr_template_mips64, put_mips64, clang_mips64, .machine = machine_mips64, ELF, .cpu = "MIPS64R2-generic",
      .image = MIPS_KSEG0 + 0x2000000, .ram = {MIPS_KSEG0 + 0x10000, MIPS_KSEG0 + 0x7000000}}},
};

/* x86 in real mode has none. */
static const struct tcgrr_stage *stage_of_x86(const struct tcgrr_register_layout *registers,
                                              const struct tcgrr_stop *stop, char **reason)
{
    const struct tcgrr_register *cr0 = tcgrr_register_layout_find(registers, "cr0");
    const struct tcgrr_register *efer = tcgrr_register_layout_find(registers, "efer");

    if (cr0 && !(tcgrr_state_number(registers, stop->state, cr0) & 1)) {
        *reason = g_strdup("the code runs in real mode");
        return NULL;
    }
    return efer && tcgrr_state_number(registers, stop->state, efer) & 1 << 10 ? &stage_x86_64 : &stage_i386;
}

const struct tcgrr_stage *tcgrr_stage_find(const struct tcgrr_standalone_options *options, char **reason)
{
    const struct tcgrr_cause_scene *scene = &options->cause->scene;
    const struct tcgrr_stop *stop = g_ptr_array_index(scene->stops[0], scene->at);
    const struct tcgrr_register_layout *registers = scene->registers[0];
    const struct tcgrr_register *msr = tcgrr_register_layout_find(registers, "msr");
    bool ppc64 = strcmp(options->target, "ppc64") == 0;
    uint64_t mode = ppc64 && msr ? tcgrr_state_number(registers, stop->state, msr) : MSR_SF;

    *reason = NULL;
    if (strcmp(options->target, "x86_64") == 0 || strcmp(options->target, "i386") == 0) {
        return stage_of_x86(registers, stop, reason);
    }
    if ((mode & MSR_SF) == 0 || mode & MSR_LE) {
        *reason = g_strdup_printf("the code runs in %s mode", mode & MSR_LE ? "little-endian" : "32-bit");
        return NULL;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(stages); i++) {
        if (strcmp(stages[i].target, options->target) == 0) {
            return &stages[i].stage;
        }
    }
    *reason = g_strdup_printf("there is no template for such a guest on %s", options->target);
    return NULL;
}
