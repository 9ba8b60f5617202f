/// CPU time that the control groups of a process allow.
#pragma once

#pragma clang assume_nonnull begin

/// The smallest CPU quota of a process's control groups and of the groups around them, as a number of CPUs, rounded up;
/// INT_MAX where none is set. Groups that cannot be read, and quotas that make no sense, set no limit.
///
/// - `memberships`: the file that lists the groups of the process, such as `/proc/self/cgroup`. Its line `0::PATH` names
///   the group of version 2, a line `ID:CONTROLLERS:PATH` with the controller `cpu` the one of version 1.
/// - `root`: the folder where control groups are mounted, such as `/sys/fs/cgroup`. A group of version 2 is looked for
///   below `root` and below `root/unified`, one of version 1 below `root/cpu` and `root/CONTROLLERS`.
int controlGroupCPUs(const char *memberships, const char *root);

#pragma clang assume_nonnull end
