/* A directory that does not answer, as one of a file server that is away: whoever lists it waits while a file is there, and leaves
   another one to say so. See hang.rs. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

DIR *opendir(const char *name)
{
    DIR *(*listed)(const char *) = (DIR *(*)(const char *))dlsym(RTLD_NEXT, "opendir");
    const char *directory = getenv("HANG_DIRECTORY"), *gate = getenv("HANG_WHILE"), *waits = getenv("HANG_WAITS");
    if (directory && gate && waits && strcmp(name, directory) == 0 && access(gate, F_OK) == 0) {
        close(open(waits, O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
        while (access(gate, F_OK) == 0)
            usleep(10000);
    }
    return listed(name);
}
