/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/images.h"

#include "emu/qemu/qcow2.h"
#include "store/error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

static void free_image(gpointer data)
{
    struct tcgrr_image *image = data;
    g_free(image->path);
    g_free(image->scratch);
    g_free(image);
}

GPtrArray *tcgrr_images_new(void)
{
    return g_ptr_array_new_with_free_func(free_image);
}

char *tcgrr_keyframe_tag(tcgrr_icount icount)
{
    return g_strdup_printf("tcgrr-%" G_GUINT64_FORMAT, icount);
}

char *tcgrr_keyframe_image_path(const char *folder, guint number)
{
    g_autofree char *name = g_strdup_printf("disk%u.qcow2", number);
    return g_build_filename(folder, name, NULL);
}

static const char *add_image(GPtrArray *images, const char *path, const char *folder, bool ours)
{
    struct tcgrr_image *image = g_new0(struct tcgrr_image, 1);
    g_autofree char *name = g_strdup_printf("scratch%u.qcow2", images->len);

    image->path = g_strdup(path);
    image->scratch = g_build_filename(folder, name, NULL);
    image->ours = ours;
    g_ptr_array_add(images, image);
    return image->scratch;
}

static void set(GPtrArray *suboptions, const char *node, const char *key, const char *value)
{
    g_autofree char *whole = *node ? g_strconcat(node, ".", key, NULL) : g_strdup(key);
    tcgrr_suboptions_set(suboptions, whole, value);
}

/* Makes `node` a qcow2 overlay of the bytes of the file at `path`, which is only read. */
static void set_overlay(GPtrArray *suboptions, const char *node, const char *path)
{
    set(suboptions, node, "driver", "qcow2");
    set(suboptions, node, "backing.driver", "file");
    set(suboptions, node, "backing.filename", path);
    set(suboptions, node, "backing.read-only", "on");
}

/* The same, with the overlay in a new scratch file. */
static void cover(GPtrArray *suboptions, const char *node, const char *path, const char *folder, bool ours,
                  GPtrArray *images)
{
    set_overlay(suboptions, node, path);
    set(suboptions, node, "file.driver", "file");
    set(suboptions, node, "file.filename", add_image(images, path, folder, ours));
}

static void cover_user(GPtrArray *suboptions, const char *node, const char *path, const char *folder,
                       const char *keyframe, GPtrArray *images)
{
    if (!keyframe) {
        cover(suboptions, node, path, folder, false, images);
        return;
    }
    /* The overlay is the keyframe's file for this image. That is only read, too, so its bytes have an overlay of their
     * own. */
    g_autofree char *saved = tcgrr_keyframe_image_path(keyframe, images->len);
    g_autofree char *inner = *node ? g_strconcat(node, ".file", NULL) : g_strdup("file");
    set_overlay(suboptions, node, path);
    cover(suboptions, inner, saved, folder, true, images);
}

/* The name of a file on the host; NULL if QEMU reaches it through another protocol. */
static const char *host_file(const char *name)
{
    if (g_str_has_prefix(name, "file:")) {
        return name + strlen("file:");
    }
    return name[strcspn(name, "/:")] == ':' ? NULL : name;
}

static void drop(GPtrArray *suboptions, const char *key)
{
    for (guint i = suboptions->len; i > 0; i--) {
        const struct tcgrr_suboption *suboption = suboptions->pdata[i - 1];
        if (strcmp(suboption->key, key) == 0) {
            g_ptr_array_remove_index(suboptions, i - 1);
        }
    }
}

/* Removes the options that only QEMU's file driver understands. */
static void drop_file_options(GPtrArray *suboptions, const char *node)
{
    static const char *const names[] = {"aio", "aio-max-batch", "locking", "pr-manager", "drop-cache"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *key = *node ? g_strconcat(node, ".", names[i], NULL) : g_strdup(names[i]);
        drop(suboptions, key);
    }
}

static bool is_on(const GPtrArray *suboptions, const char *key)
{
    const char *value = tcgrr_suboptions_get(suboptions, key);
    return value && (strcmp(value, "on") == 0 || strcmp(value, "true") == 0 || strcmp(value, "yes") == 0);
}

static bool only_reads(const GPtrArray *suboptions)
{
    return is_on(suboptions, "readonly") || is_on(suboptions, "read-only") ||
           g_strcmp0(tcgrr_suboptions_get(suboptions, "media"), "cdrom") == 0;
}

/* The suboption that names a file on the host, and the node that is opened from it. NULL: none. */
static const struct tcgrr_suboption *find_file(const GPtrArray *suboptions, bool blockdev, char **node)
{
    for (guint i = 0; i < suboptions->len; i++) {
        const struct tcgrr_suboption *suboption = suboptions->pdata[i];
        const char *key = suboption->key;
        bool whole = strcmp(key, "filename") == 0;
        if (whole || g_str_has_suffix(key, ".filename")) {
            *node = g_strndup(key, strlen(key) - strlen("filename") - !whole);
            return suboption;
        }
        /* The "file" of a -blockdev names another node. */
        if (strcmp(key, "file") == 0 && !blockdev && *suboption->value) {
            *node = g_strdup("file");
            return suboption;
        }
    }
    return NULL;
}

static bool has_backing(const GPtrArray *suboptions, const char *format)
{
    g_autofree char *key = g_strconcat(format, "backing", NULL);

    for (guint i = 0; i < suboptions->len; i++) {
        if (g_str_has_prefix(((const struct tcgrr_suboption *)suboptions->pdata[i])->key, key)) {
            return true;
        }
    }
    return false;
}

/* A qcow2 image names its backing file relative to the folder that it is in, where QEMU would look for the scratch
 * file's: the node that has the format in the file of `node` is told where the backing file is. */
static void locate_backing(GPtrArray *suboptions, const char *node, const char *path, const char *directory)
{
    if (!g_str_has_suffix(node, "file")) {
        return;
    }
    g_autofree char *format = g_strndup(node, strlen(node) - strlen("file")); /* empty, or ends in a dot */
    g_autofree char *driver_key = g_strconcat(format, "driver", NULL);
    g_autofree char *whole = g_canonicalize_filename(path, directory);
    g_autofree char *backing = tcgrr_qcow2_backing(whole);
    const char *file = backing ? host_file(backing) : NULL;
    const char *driver = tcgrr_suboptions_get(suboptions, driver_key);

    driver = driver || *format ? driver : tcgrr_suboptions_get(suboptions, "format");
    if (!file || g_path_is_absolute(file) || (driver && strcmp(driver, "qcow2") != 0) ||
        has_backing(suboptions, format)) {
        return;
    }
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *located = g_build_filename(folder, file, NULL);
    g_autofree char *key = g_strconcat(format, "backing.file.filename", NULL);
    tcgrr_suboptions_set(suboptions, key, located);
}

bool tcgrr_images_cover(GPtrArray *suboptions, bool blockdev, const char *directory, const char *scratch,
                        const char *keyframe, GPtrArray *images)
{
    g_autofree char *node = NULL;
    const struct tcgrr_suboption *named = only_reads(suboptions) ? NULL : find_file(suboptions, blockdev, &node);
    const char *file = named ? host_file(named->value) : NULL;

    if (!file && named && !blockdev) {
        tcgrr_suboptions_set(suboptions, "snapshot", "on"); /* QEMU reaches it through another protocol */
        return true;
    }
    if (!file) {
        return false;
    }
    g_autofree char *path = g_strdup(file);
    g_autofree char *key = g_strdup(named->key);
    drop(suboptions, key);
    drop_file_options(suboptions, node);
    drop(suboptions, "snapshot"); /* would make QEMU use its own scratch file, which a keyframe could not contain */
    locate_backing(suboptions, node, path, directory);
    cover_user(suboptions, node, path, scratch, keyframe, images);
    return true;
}

char *tcgrr_images_state(const char *path, const char *aio, const char *scratch, GPtrArray *images)
{
    /* QEMU flushes its writes when it loads a snapshot, but scratch data need not reach the disk. */
    g_autofree char *options = g_strconcat("driver=qcow2,if=none,id=tcgrr-state,cache=unsafe,aio=", aio, NULL);
    g_autoptr(GPtrArray) suboptions = tcgrr_suboptions_parse(options, NULL);

    cover(suboptions, "file", path, scratch, true, images);
    return tcgrr_suboptions_format(suboptions);
}

/* The size of the overlay: a raw image has to keep its size, which the guest sees; a file in another format has to be
 * able to grow. */
static bool size_of(const struct tcgrr_image *image, const char *path, guint64 *size, GError **error)
{
    GStatBuf status;
    if (image->ours || tcgrr_qcow2_is(path)) {
        *size = TCGRR_QCOW2_MAX;
        return true;
    }
    if (g_stat(path, &status) != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot read the image %s: %s", path, g_strerror(errno));
        return false;
    }
    *size = (guint64)status.st_size;
    return true;
}

bool tcgrr_images_create(const GPtrArray *images, const char *directory, GError **error)
{
    for (guint i = 0; i < images->len; i++) {
        const struct tcgrr_image *image = images->pdata[i];
        g_autofree char *path = g_canonicalize_filename(image->path, directory);
        guint64 size;
        if (!size_of(image, path, &size, error) || !tcgrr_qcow2_create(image->scratch, size, error)) {
            return false;
        }
    }
    return true;
}

void tcgrr_images_remove(const GPtrArray *images)
{
    for (guint i = 0; i < images->len; i++) {
        const struct tcgrr_image *image = images->pdata[i];
        g_unlink(image->scratch);
    }
}
