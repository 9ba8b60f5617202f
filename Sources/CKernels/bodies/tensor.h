// Compiled once per variant; see CKernels.h.
#include "prelude.h"
#include "elementwise.h"
#include "norms.h"
#include "activations.h"
#include "rows.h"
#include "attention.h"
#include "dropout.h"
#include "optimizer.h"
