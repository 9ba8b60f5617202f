#include <new>

#include "walk.h"

namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SIMDJSON_ALWAYS_COPIES 1
#endif
#endif

/// Capacity that is kept from text to text, bytes.
constexpr size_t keptBytes = size_t(1) << 20;

/// True where the bytes behind a text can be loaded: memory is there or not there by whole pages.
bool hasRoom([[maybe_unused]] const uint8_t *end) {
#ifdef SIMDJSON_ALWAYS_COPIES
  return false;
#else
  // The smallest page there is.
  constexpr size_t page = 4096;
  size_t used = (uintptr_t(end) - 1) % page + 1;
  return page - used >= simdjson::SIMDJSON_PADDING;
#endif
}

/// Has the bytes behind a text loaded meanwhile: rows are read one after another, and memory guesses only so far ahead.
void prefetch(const uint8_t *end) {
  constexpr size_t line = 64, lines = 8;
  for (size_t index = 0; index < lines; index++) { __builtin_prefetch(end + index * line); }
}

bool isContainer(const uint8_t *text, size_t count) {
  size_t index = 0;
  while (index < count && isSpace(text[index])) { index++; }
  return index < count && (text[index] == '{' || text[index] == '[');
}

/// The text with room behind it; a scalar is put in brackets, since on-demand has other functions for a root that is
/// none of the containers. Empty where there is no memory.
Bytes prepared(SimdJSONParser &parser, const uint8_t *text, size_t count, bool isBracketed) {
  if (!isBracketed && hasRoom(text + count)) { return {text, text + count}; }
  if (!parser.copy.reserve(count + 2 + simdjson::SIMDJSON_PADDING)) { return {nullptr, nullptr}; }
  uint8_t *copy = parser.copy.elements;
  if (isBracketed) { *copy++ = '['; }
  memcpy(copy, text, count);
  if (isBracketed) { copy[count] = ']'; }
  size_t behind = count + isBracketed;
  memset(copy + behind, ' ', simdjson::SIMDJSON_PADDING);
  return {parser.copy.elements, copy + behind};
}

}  // namespace

size_t simdJSONMaximumBytes(void) { return simdjson::SIMDJSON_MAXSIZE_BYTES - 2; }

SimdJSONMember simdJSONMember(const uint8_t *bytes, size_t count) {
  uint64_t head = 0;
  memcpy(&head, bytes, std::min(count, sizeof head));
  return {bytes, count, head};
}

SimdJSONParser *simdJSONMakeParser(void) { return new (std::nothrow) SimdJSONParser; }

void simdJSONFreeParser(SimdJSONParser *parser) { delete parser; }

SimdJSONParser *simdJSONThreadParser(void) {
  static thread_local std::unique_ptr<SimdJSONParser> parser;
  if (!parser) { parser.reset(simdJSONMakeParser()); }
  return parser.get();
}

void simdJSONTrim(SimdJSONParser *parser) {
  if (parser->parser.capacity() > keptBytes) { parser->parser = simdjson::ondemand::parser(); }
  if (parser->records.capacity > keptBytes / sizeof(SimdJSONRecord)) { parser->records.release(); }
  if (parser->keys.capacity > keptBytes / sizeof(SimdJSONMember)) { parser->keys.release(); }
  if (parser->copy.capacity > keptBytes) { parser->copy.release(); }
  if (parser->unescaped.capacity > keptBytes) { parser->unescaped.release(); }
}

SimdJSONOutcome simdJSONReadText(
    SimdJSONParser *parser, const uint8_t *text, size_t count, SimdJSONRequest request, SimdJSONDocument *document) {
  *document = {nullptr, 0, text, nullptr, nullptr};
  if (count == 0 || count > simdJSONMaximumBytes()) { return SimdJSONRefused; }
  parser->records.count = parser->keys.count = 0;
  bool isBracketed = !isContainer(text, count);
  Bytes whole = prepared(*parser, text, count, isBracketed);
  size_t length = whole.count();
  if (!whole.start || !parser->unescaped.reserve(length + simdjson::SIMDJSON_PADDING)) { return SimdJSONOutOfMemory; }
  // Rows differ in length: room for the longest is made in steps.
  if (length > parser->parser.capacity()) {
    size_t wanted = length < keptBytes ? std::max(length * 2, size_t(1) << 14) : length;
    if (parser->parser.allocate(wanted)) { return SimdJSONOutOfMemory; }
  }
  prefetch(text + count);
  simdjson::ondemand::document parsed;
  auto error = parser->parser.iterate(whole.start, length, length + simdjson::SIMDJSON_PADDING).get(parsed);
  if (error) {
    document->message = simdjson::error_message(error);
    return error == simdjson::MEMALLOC ? SimdJSONOutOfMemory : SimdJSONRefused;
  }
  Walk walk(*parser, request, {whole.start, whole.end}, parsed);
  bool good = walk.run();
  if (!good) {
    if (walk.error) { document->message = simdjson::error_message(walk.error); }
    return walk.outcome;
  }
  SimdJSONRecord *records = parser->records.elements;
  *document = {records, parser->records.count, whole.start, parser->unescaped.elements, nullptr};
  if (isBracketed) {
    if (records[0].count != 1) { return SimdJSONRefused; }
    records[1].start--;
    records[1].end--;
    document->records++;
    document->count--;
  }
  return SimdJSONRead;
}

namespace {

/// Behind the closing quotation mark of a string whose opening one is at `start`.
size_t stringEnd(const uint8_t *text, size_t count, size_t start) {
  size_t from = start + 1;
  while (from < count) {
    const void *quote = memchr(text + from, '"', count - from);
    if (!quote) { return count; }
    size_t at = size_t(static_cast<const uint8_t *>(quote) - text), before = at;
    while (before > from && text[before - 1] == '\\') { before--; }
    from = at + 1;
    if ((at - before) % 2 == 0) { return from; }
  }
  return count;
}

}  // namespace

size_t simdJSONValueEnd(const uint8_t *text, size_t count, size_t start) {
  size_t depth = 0, index = start;
  while (index < count) {
    switch (text[index]) {
      case '"': index = stringEnd(text, count, index); break;
      case '{': case '[':
        depth++;
        index++;
        break;
      case '}': case ']':
        if (depth == 0) { return index; }
        depth--;
        index++;
        break;
      case ',': case ' ': case '\n': case '\r': case '\t':
        if (depth == 0) { return index; }
        index++;
        break;
      default: index++; continue;
    }
    if (depth == 0) { return index; }
  }
  return count;
}
