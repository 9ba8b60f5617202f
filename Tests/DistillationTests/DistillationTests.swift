// Tests of Distillation.
