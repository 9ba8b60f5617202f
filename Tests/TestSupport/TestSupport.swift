// Tests share helpers here.
