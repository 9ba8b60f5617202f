/// JSON texts through simdjson's on-demand interface, told as a flat list of records: C, so that Swift needs no C++.
///
/// simdjson finds the tokens of a text and checks its UTF-8 with wide instructions, chosen at run time; on-demand then
/// converts what it is asked for and checks nothing else. Here the whole text is walked, so that everything RFC 8259
/// forbids is refused, in the parts that nobody asks for too.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma clang assume_nonnull begin

/// What a record stands for.
typedef enum SimdJSONKind : uint8_t {
  SimdJSONNull, SimdJSONFalse, SimdJSONTrue,
  /// A whole number of 64 bits: its bits in `bits`.
  SimdJSONInteger,
  /// Any other number: the bits of the nearest double in `bits`.
  SimdJSONDouble,
  /// The offset of its text in the lower half of `bits`, the text's length in the upper one.
  SimdJSONString,
  /// `count` values follow; `bits` is the index of the record behind them.
  SimdJSONArray,
  /// `count` pairs of a key (a string or a name) and a value follow; `bits` as for arrays.
  SimdJSONObject,
  /// A key that was asked for: its index in `bits`.
  SimdJSONName
} SimdJSONKind;

/// A value or a key, before what it holds.
typedef struct SimdJSONRecord {
  uint64_t bits;
  /// Offset of the first byte in the text.
  uint32_t start;
  /// Offset behind the last byte.
  uint32_t end;
  uint32_t count;
  SimdJSONKind kind;
  /// 1 where the text of a string lies in `unescaped`, 0 where it lies in `text`.
  uint8_t isUnescaped;
} SimdJSONRecord;

/// A text that was read, NULL where it was refused. Valid until the parser reads the next one, and as long as the bytes
/// of the text are.
typedef struct SimdJSONDocument {
  const SimdJSONRecord *_Nullable records;
  size_t count;
  /// Where strings without escapes are: the text itself, or a copy of it.
  const uint8_t *_Nullable text;
  /// Where strings with escapes are, without them.
  const uint8_t *_Nullable unescaped;
  /// simdjson's own words for what it refused.
  const char *_Nullable message;
} SimdJSONDocument;

typedef enum SimdJSONOutcome {
  SimdJSONRead,
  SimdJSONRefused,
  /// A key comes twice in an object.
  SimdJSONKeyTwice,
  SimdJSONOutOfMemory
} SimdJSONOutcome;

/// A key, its escapes resolved; made by `simdJSONMember`.
typedef struct SimdJSONMember {
  const uint8_t *bytes;
  size_t count;
  /// The first eight bytes, zeros where there are fewer.
  uint64_t head;
} SimdJSONMember;

/// A key to look for, whose bytes stay where they are.
SimdJSONMember simdJSONMember(const uint8_t *bytes, size_t count);

/// What of a text becomes records, and what is checked beside the grammar.
typedef struct SimdJSONRequest {
  /// The members of the root that are asked for; NULL for all of the text. A root that is no object is told whole.
  const SimdJSONMember *_Nullable members;
  size_t memberCount;
  /// 1 to refuse objects in which a key comes twice.
  int refusesKeysTwice;
  /// Deepest nesting accepted.
  int maximumDepth;
} SimdJSONRequest;

/// The longest text, in bytes.
size_t simdJSONMaximumBytes(void);

/// Reads one text after another, with memory that is kept from text to text. For one thread at a time.
typedef struct SimdJSONParser SimdJSONParser;

/// A parser of its own; NULL where there is no memory.
SimdJSONParser *_Nullable simdJSONMakeParser(void);

void simdJSONFreeParser(SimdJSONParser *parser);

/// The calling thread's own parser, freed when the thread ends; NULL where there is no memory.
SimdJSONParser *_Nullable simdJSONThreadParser(void);

/// Gives back what a long text needed, where that is more than a few rows need.
void simdJSONTrim(SimdJSONParser *parser);

/// Reads a text.
///
/// What lies behind the text has no say in what is found, but simdjson loads up to 64 bytes of it. Where the last page
/// of the text goes on for as long, they are loaded from there; else the text is copied first. (Programs under a
/// sanitizer always copy.)
SimdJSONOutcome simdJSONReadText(
    SimdJSONParser *parser, const uint8_t *text, size_t count, SimdJSONRequest request, SimdJSONDocument *document);

/// Where a value that begins at `start` ends, as far as brackets and quotation marks tell: the value is not checked.
/// `count` where the text ends first.
size_t simdJSONValueEnd(const uint8_t *text, size_t count, size_t start);

#pragma clang assume_nonnull end
#ifdef __cplusplus
}
#endif
