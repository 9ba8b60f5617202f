/// The parser behind the C interface, and the memory it keeps.
#pragma once
#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

#include <cstdlib>
#include <cstring>

#include "CSimdJSON.h"

/// Memory that grows by doubling and says so where it cannot.
template <typename Element>
struct Growing {
  Element *elements = nullptr;
  size_t count = 0, capacity = 0;

  ~Growing() { free(elements); }

  bool reserve(size_t wanted) {
    if (wanted <= capacity) { return true; }
    size_t larger = capacity * 2 > wanted ? capacity * 2 : wanted;
    void *moved = realloc(elements, larger * sizeof(Element));
    if (!moved) { return false; }
    elements = static_cast<Element *>(moved);
    capacity = larger;
    return true;
  }

  /// Room for one more, to be filled in place; null where there is none.
  Element *add() {
    if (count == capacity && !reserve(count < 64 ? 64 : count * 2)) { return nullptr; }
    return &elements[count++];
  }

  void release() {
    free(elements);
    elements = nullptr;
    count = capacity = 0;
  }
};

inline bool operator==(const SimdJSONMember &a, const SimdJSONMember &b) {
  return a.head == b.head && a.count == b.count && (a.count <= 8 || !memcmp(a.bytes, b.bytes, a.count));
}

struct SimdJSONParser {
  simdjson::ondemand::parser parser;
  Growing<SimdJSONRecord> records;
  /// The keys of the objects that are open, outermost first.
  Growing<SimdJSONMember> keys;
  /// The text with room behind it, where it had none.
  Growing<uint8_t> copy;
  Growing<uint8_t> unescaped;
};
