/// Numbers of many digits.
#pragma once
#include <locale.h>
#include <stdlib.h>

#include <cmath>
#include <cstdint>

/// A number as RFC 8259 writes it.
class Number {
 public:
  /// The double that is nearest to a number; false where the text is none, or beyond the range of a double. A byte that
  /// belongs to no number stands behind the text.
  static bool read(const uint8_t *start, const uint8_t *end, double &real) {
    Number number{start, end};
    if (!number.isWellFormed()) { return false; }
    static const locale_t plain = newlocale(LC_ALL_MASK, "C", nullptr);
    real = strtod_l(reinterpret_cast<const char *>(start), nullptr, plain);
    return std::isfinite(real);
  }

 private:
  const uint8_t *next;
  const uint8_t *end;

  Number(const uint8_t *start, const uint8_t *end) : next(start), end(end) {}

  bool isWellFormed() {
    take('-', '-');
    if (!take('0', '0') && !digits()) { return false; }
    if (take('.', '.') && !digits()) { return false; }
    if (take('e', 'E')) {
      take('-', '+');
      if (!digits()) { return false; }
    }
    return next == end;
  }

  bool take(uint8_t one, uint8_t other) {
    if (next == end || (*next != one && *next != other)) { return false; }
    next++;
    return true;
  }

  bool digits() {
    const uint8_t *first = next;
    while (next < end && *next >= '0' && *next <= '9') { next++; }
    return next > first;
  }
};
