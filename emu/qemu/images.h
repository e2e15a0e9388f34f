/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The user's disk images in a replay. QEMU only reads them: a scratch file of ours on top of each image takes all
 * writes of the guest and of snapshots. This happens at the level of the file's bytes, below the image's format.
 *
 * A keyframe is a folder with the machine's state at one moment (TCGRR_KEYFRAME_STATE) and with what had been written
 * to each image until then (tcgrr_keyframe_image_path()). QEMU only reads these, too, so several QEMUs can start from
 * one keyframe at once: each writes only to its own scratch files, even when it loads a snapshot.
 */
#ifndef TCGRR_EMU_IMAGES_H
#define TCGRR_EMU_IMAGES_H

#include <glib.h>
#include <stdbool.h>

#include "emu/qemu/command_options.h"
#include "store/model.h"

#define TCGRR_KEYFRAME_STATE "state.qcow2"

/* The name of the snapshot in every file of the keyframe at `icount`; the files for images also contain earlier
 * snapshots. Owned by the caller. */
char *tcgrr_keyframe_tag(tcgrr_icount icount);

/* An image of the user's for which the replay has a replacement, or another file of which a QEMU has a private view. */
struct tcgrr_image {
    char *path;    /* the file that is only read; the user's path is relative to QEMU's working directory */
    char *scratch; /* what is written goes there */
    bool ours;     /* a qcow2 file of a keyframe rather than the user's image */
};

/* GPtrArray of struct tcgrr_image. */
GPtrArray *tcgrr_images_new(void);

/* The file for the user's image number `number`, in the order of the command, in the keyframe at `folder`. Owned by the
 * caller. */
char *tcgrr_keyframe_image_path(const char *folder, guint number);

/*
 * Rewrites the suboptions of a -drive or -blockdev so that each file that QEMU may write to is only read, with a
 * scratch file in `scratch` on top of it and, if `keyframe` is not NULL, that keyframe's file for it in between. Adds
 * these files to `images`. For an image that a -drive reaches through another protocol, QEMU itself redirects writes.
 * `directory`: QEMU's working directory; NULL: ours. Returns whether anything was changed.
 */
bool tcgrr_images_cover(GPtrArray *suboptions, bool blockdev, const char *directory, const char *scratch,
                        const char *keyframe, GPtrArray *images);

/* The value of a -drive that no device uses, for the qcow2 file at `path` with a machine's state. QEMU reads it with
 * the aio= method `aio` (tcgrr_qemu_aio()). Call it after covering all images. Owned by the caller. */
char *tcgrr_images_state(const char *path, const char *aio, const char *scratch, GPtrArray *images);

/* Creates the empty scratch files. `directory`: QEMU's working directory; NULL: ours. */
bool tcgrr_images_create(const GPtrArray *images, const char *directory, GError **error);
/* Removes the scratch files. */
void tcgrr_images_remove(const GPtrArray *images);

#endif
