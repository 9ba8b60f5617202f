// Tests of LogitCache.
