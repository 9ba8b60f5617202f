#define _GNU_SOURCE
#include "CPULimits.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Reads the first line of a file of a control group; false where there is none.
static int readLine(const char *folder, const char *name, char *line, int size) {
  char path[PATH_MAX];
  if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) return 0;
  FILE *file = fopen(path, "re");
  if (!file) return 0;
  int found = fgets(line, size, file) != NULL;
  fclose(file);
  return found;
}

// Reads a positive number and moves `text` behind it. 0 for everything else: "max" of version 2, -1 of version 1.
static long long positive(char **text) {
  char *end;
  errno = 0;
  long long number = strtoll(*text, &end, 10);
  int isNumber = end != *text && errno == 0 && (*end == '\0' || *end == ' ' || *end == '\n');
  *text = end;
  return isNumber && number > 0 ? number : 0;
}

static int wholeCPUs(long long quota, long long period) {
  if (quota == 0 || period == 0) return INT_MAX;
  long long cpus = quota / period + (quota % period != 0);
  return cpus < INT_MAX ? (int)cpus : INT_MAX;
}

// Version 2 keeps both numbers in one file: "quota period".
static int limitOfGroup2(const char *folder) {
  char line[128], *text = line;
  if (!readLine(folder, "cpu.max", line, sizeof line)) return INT_MAX;
  long long quota = positive(&text), period = positive(&text);
  return wholeCPUs(quota, period);
}

static int limitOfGroup1(const char *folder) {
  char first[128], second[128], *quota = first, *period = second;
  if (!readLine(folder, "cpu.cfs_quota_us", first, sizeof first)) return INT_MAX;
  if (!readLine(folder, "cpu.cfs_period_us", second, sizeof second)) return INT_MAX;
  return wholeCPUs(positive(&quota), positive(&period));
}

// The smallest limit of `mount`/`path` and of every group around it. Inside a container the path may be the host's,
// which is not there, while the container's own group is what is mounted: the walk ends there in any case.
static int smallest(const char *mount, const char *path, int (*limit)(const char *folder)) {
  char folder[PATH_MAX];
  size_t root = strlen(mount);
  // A path of a group outside the namespace climbs by "..", and would lead out of the mount.
  if (*path != '/' || strstr(path, "/..")) path = "";
  if (snprintf(folder, sizeof folder, "%s%s", mount, path) >= (int)sizeof folder) return INT_MAX;
  int result = INT_MAX;
  for (;;) {
    int found = limit(folder);
    if (found < result) result = found;
    char *slash = strrchr(folder + root, '/');
    if (!slash) return result;
    *slash = '\0';
  }
}

static int smallestBelow(const char *root, const char *name, const char *path, int (*limit)(const char *folder)) {
  char mount[PATH_MAX];
  if (snprintf(mount, sizeof mount, "%s/%s", root, name) >= (int)sizeof mount) return INT_MAX;
  return smallest(mount, path, limit);
}

static int lists(const char *controllers, const char *wanted) {
  size_t length = strlen(wanted);
  for (const char *at = controllers; at; at = strchr(at, ',')) {
    at += *at == ',';
    if (strncmp(at, wanted, length) == 0 && (at[length] == ',' || at[length] == '\0')) return 1;
  }
  return 0;
}

// The limit behind one line "ID:CONTROLLERS:PATH"; version 2 has the ID 0 and names no controllers.
static int limitOfLine(char *line, const char *root) {
  line[strcspn(line, "\n")] = '\0';
  char *controllers = strchr(line, ':');
  char *path = controllers ? strchr(controllers + 1, ':') : NULL;
  if (!path) return INT_MAX;
  *controllers++ = *path++ = '\0';
  int first, second;
  if (strcmp(line, "0") == 0 && *controllers == '\0') {
    first = smallest(root, path, limitOfGroup2);
    second = smallestBelow(root, "unified", path, limitOfGroup2);
  } else if (lists(controllers, "cpu")) {
    first = smallestBelow(root, "cpu", path, limitOfGroup1);
    second = smallestBelow(root, controllers, path, limitOfGroup1);
  } else {
    return INT_MAX;
  }
  return first < second ? first : second;
}

int controlGroupCPUs(const char *memberships, const char *root) {
  FILE *file = fopen(memberships, "re");
  if (!file) return INT_MAX;
  int result = INT_MAX;
  char *line = NULL;
  size_t size = 0;
  while (getline(&line, &size, file) >= 0) {
    int found = limitOfLine(line, root);
    if (found < result) result = found;
  }
  free(line);
  fclose(file);
  return result;
}
