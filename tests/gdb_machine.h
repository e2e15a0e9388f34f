/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A made-up machine with a gdb stub, in the place of a QEMU that replays. CMakeLists.txt makes replay/gdb_*.c call it
 * instead of the player and the keyframes. There is one at a time.
 */
#ifndef TCGRR_TESTS_GDB_MACHINE_H
#define TCGRR_TESTS_GDB_MACHINE_H

#include "replay/gdb_internal.h"

/* The guest stands here before it runs an instruction, or before an interrupt leads elsewhere. */
struct machine_place {
    tcgrr_icount icount;
    uint64_t pc;
    uint64_t touches; /* the address that the instruction accesses; 0: none */
};

struct gdb_machine {
    GArray *places;                 /* struct machine_place; at the last one the run is over */
    bool before;                    /* its watchpoints stop before the access, until they are removed */
    bool dies;                      /* its QEMU ends with the run */
    bool endless;                   /* at the end of the run it goes on until it is interrupted */
    bool deaf;                      /* no connection to its stub is answered */
    const char *refuses;            /* the beginning of a packet that is answered with E22; NULL: none */
    const char *breaks_off;         /* the beginning of one at which it closes the connection; NULL: none */
    struct tcgrr_keyframe keyframe; /* the only one */
    bool keyframe_fails;            /* what starts from it does not get anywhere */
    bool keyframe_rejected;
    bool interrupts;  /* starting another one is interrupted */
    unsigned started; /* number of times that it was started */
    GPtrArray *heard; /* all packets that its stubs got, char * */
    GMutex lock;      /* of `heard` */
};

/* An empty one. */
void gdb_machine_begin(struct gdb_machine *machine);
void gdb_machine_end(struct gdb_machine *machine);
/* So many places whose instructions are in a loop of `loop`, from pc 0x1000 on, without accesses. */
void gdb_machine_fill(struct gdb_machine *machine, guint count, guint loop);
struct machine_place *gdb_machine_place(const struct gdb_machine *machine, guint index);
/* Before the instruction of this place an interrupt leads to `pc`: inserts a place with the same icount after it. */
void gdb_machine_interrupt(struct gdb_machine *machine, guint index, uint64_t pc);
/* How often a stub got exactly this packet. */
unsigned gdb_machine_heard(struct gdb_machine *machine, const char *packet);

/* A server that debugs this machine and stands at `icount`; to be cleared by gdb_machine_close(). */
void gdb_machine_serve(struct gdb_machine *machine, tcgrr_icount icount, struct tcgrr_gdb_server *server);
void gdb_machine_close(struct tcgrr_gdb_server *server);
/* The number of the place at which a stub stands. */
guint gdb_machine_stands(const struct tcgrr_stub *stub);
/* Puts it there. */
void gdb_machine_put(struct tcgrr_stub *stub, guint index);

#endif
