// Tests of RandomStreams.
