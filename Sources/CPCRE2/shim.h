// PCRE2 names its functions by code-unit width through a macro; Swift imports the 8-bit names.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
