/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The user's disk images in a replay. QEMU only ever reads them: between an image and what QEMU makes of it we put a
 * file of ours, which takes what the guest, or a snapshot, writes. All of it happens at the level of the file's bytes,
 * below whatever format the image has.
 *
 * A keyframe is a folder with the machine's state at one moment (TCGRR_KEYFRAME_STATE) and with what had been written
 * to each image until then (tcgrr_keyframe_image_path()). QEMU only reads those, too, so that many can start from one
 * keyframe at once: whatever a QEMU writes, which it does even to load a snapshot, goes to scratch files of its own.
 */
#ifndef TCGRR_EMU_IMAGES_H
#define TCGRR_EMU_IMAGES_H

#include <glib.h>
#include <stdbool.h>

#include "emu/qemu/command_options.h"
#include "store/model.h"

#define TCGRR_KEYFRAME_STATE  "state.qcow2"
/* Beside the keyframes of a set, made by QEMU: a file as large as the guest's memory that has no data. */
#define TCGRR_KEYFRAME_MEMORY "memory"

/* The name of the snapshot in every file of the keyframe at `icount`; those of images have earlier ones, too. Owned by
 * the caller. */
char *tcgrr_keyframe_tag(tcgrr_icount icount);

/* One image of the user's that the replay has replaced, or another file of which a QEMU has a private view. */
struct tcgrr_image {
    char *path;    /* what is only read; the user's is relative to QEMU's working directory */
    char *scratch; /* what is written goes there */
    bool ours;     /* a qcow2 file of a keyframe rather than the user's image */
};

/* GPtrArray of struct tcgrr_image. */
GPtrArray *tcgrr_images_new(void);

/* The file for the user's image number `number`, in the order of the command, in the keyframe at `folder`. Owned by the
 * caller. */
char *tcgrr_keyframe_image_path(const char *folder, guint number);

/*
 * Rewrites the suboptions of a -drive or -blockdev: each file that it names and may write to is only read, with a
 * scratch file in `scratch` over it and, where `keyframe` is not NULL, what that keyframe has of it in between. Adds
 * what is needed to `images`. What a -drive reaches by another protocol QEMU itself does not write to then. Returns
 * whether anything was changed.
 */
bool tcgrr_images_cover(GPtrArray *suboptions, bool blockdev, const char *scratch, const char *keyframe,
                        GPtrArray *images);

/* The value of a -drive, which no device uses, for the qcow2 file at `path` with the state of a machine, which QEMU is
 * to read as `aio` says (tcgrr_qemu_aio()); after all images were covered. Owned by the caller. */
char *tcgrr_images_state(const char *path, const char *aio, const char *scratch, GPtrArray *images);

/* Writes the scratch files, empty. `directory`: QEMU's working directory; NULL: ours. */
bool tcgrr_images_create(const GPtrArray *images, const char *directory, GError **error);
/* Removes them. */
void tcgrr_images_remove(const GPtrArray *images);

#endif
