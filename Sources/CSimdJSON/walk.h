/// The walk over a text that simdjson has found the tokens of: every value is visited and checked, and told as records
/// where it was asked for.
#pragma once
#include <algorithm>
#include <cstring>
#include <utility>

#include "number.h"
#include "parser.h"

namespace {

namespace ondemand = simdjson::ondemand;

inline bool isSpace(uint8_t byte) { return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t'; }

/// A text or a part of one, by address.
struct Bytes {
  const uint8_t *start;
  const uint8_t *end;

  size_t count() const { return size_t(end - start); }
};

class Walk {
 public:
  Walk(SimdJSONParser &parser, const SimdJSONRequest &request, Bytes text, ondemand::document &document)
      : own(parser), request(request), text(text), document(document), nextUnescaped(parser.unescaped.elements) {
    for (size_t index = 0; index < request.memberCount; index++) { askedBits |= bit(request.members[index]); }
  }

  SimdJSONOutcome outcome = SimdJSONRefused;
  simdjson::error_code error = simdjson::SUCCESS;

  /// The whole document; false leaves what is wrong in `outcome`.
  bool run() {
    ondemand::json_type type;
    if (failed(document.type().get(type))) { return false; }
    bool good = type == ondemand::json_type::object ? rootObject() : rootArray();
    if (!good) { return false; }
    // Behind the root there must be nothing, and the root must not have been closed by what lies behind the text.
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) { return refuse(); }
    outcome = SimdJSONRead;
    return true;
  }

 private:
  SimdJSONParser &own;
  const SimdJSONRequest &request;
  const Bytes text;
  ondemand::document &document;
  /// Where the next unescaped string goes.
  uint8_t *nextUnescaped;
  int depth = 0;
  /// The bits of the members that are asked for.
  uint64_t askedBits = 0;

  bool refuse() {
    outcome = SimdJSONRefused;
    return false;
  }

  bool noMemory() {
    outcome = SimdJSONOutOfMemory;
    return false;
  }

  bool failed(simdjson::error_code code) {
    if (code == simdjson::SUCCESS) { return false; }
    error = code;
    outcome = code == simdjson::MEMALLOC ? SimdJSONOutOfMemory : SimdJSONRefused;
    return true;
  }

  bool rootObject() {
    ondemand::object object;
    if (failed(document.get_object().get(object))) { return false; }
    return walk<true>(object, root(), request.members);
  }

  bool rootArray() {
    ondemand::array array;
    if (failed(document.get_array().get(array))) { return false; }
    return walk<true>(array, root());
  }

  /// Where the first bracket is.
  const uint8_t *root() const {
    const uint8_t *start = text.start;
    while (isSpace(*start)) { start++; }
    return start;
  }

  // MARK: Records

  bool tell(SimdJSONKind kind, uint64_t bits, Bytes place, uint8_t isUnescaped = 0) {
    SimdJSONRecord *record = own.records.add();
    if (!record) { return noMemory(); }
    *record = {bits, uint32_t(place.start - text.start), uint32_t(place.end - text.start), 0, kind, isUnescaped};
    return true;
  }

  void close(size_t record, uint32_t count) {
    own.records.elements[record].count = count;
    own.records.elements[record].bits = own.records.count;
    own.records.elements[record].end = uint32_t(behindContainer() - text.start);
  }

  /// The byte behind the bracket that was just passed.
  const uint8_t *behindContainer() {
    const char *next;
    const uint8_t *end = document.current_location().get(next) ? text.end : reinterpret_cast<const uint8_t *>(next);
    while (end > text.start && isSpace(end[-1])) { end--; }
    return end;
  }

  // MARK: Containers

  bool enter() { return ++depth <= request.maximumDepth || refuse(); }

  template <bool tells>
  bool walk(ondemand::array &array, const uint8_t *start) {
    if (!enter()) { return false; }
    size_t record = own.records.count;
    uint32_t count = 0;
    if (tells && !tell(SimdJSONArray, 0, {start, start})) { return false; }
    for (auto element : array) {
      ondemand::value value;
      if (failed(std::move(element).get(value)) || !walk<tells>(value)) { return false; }
      count++;
    }
    if (tells) { close(record, count); }
    depth--;
    return true;
  }

  /// - Parameter members: The members that are asked for; NULL for all.
  template <bool tells>
  bool walk(ondemand::object &object, const uint8_t *start, const SimdJSONMember *members) {
    if (!enter()) { return false; }
    size_t record = own.records.count, firstKey = own.keys.count;
    uint64_t seen = 0;
    uint32_t count = 0;
    if (tells && !tell(SimdJSONObject, 0, {start, start})) { return false; }
    for (auto member : object) {
      ondemand::field field;
      if (failed(std::move(member).get(field))) { return false; }
      bool isAsked = tells;
      if (!read<tells>(field.key(), members, isAsked)) { return false; }
      if (request.refusesKeysTwice && !isNew(firstKey, seen)) { return false; }
      if (!(isAsked ? walk<tells>(field.value()) : walk<false>(field.value()))) { return false; }
      count += isAsked;
    }
    if (request.refusesKeysTwice && !areUnique(firstKey)) { return false; }
    own.keys.count = firstKey;
    if (tells) { close(record, count); }
    depth--;
    return true;
  }

  // MARK: Keys

  /// Finds the end of a key, puts it behind the others, and tells it where it is asked for.
  template <bool tells>
  bool read(ondemand::raw_json_string raw, const SimdJSONMember *members, bool &isAsked) {
    const uint8_t *start = reinterpret_cast<const uint8_t *>(raw.raw());
    const uint8_t *end = quoteOrEscape(start);
    uint8_t isUnescaped = 0;
    Bytes content{start, end};
    if (*end == '\\') {
      if (!unescape(raw, content)) { return false; }
      isUnescaped = 1;
      while (*end != '"') { end += *end == '\\' ? 2 : 1; }
    }
    SimdJSONMember *added = own.keys.add();
    if (!added) { return noMemory(); }
    const SimdJSONMember &key = *added;
    setKey(*added, content);
    if (!tells) { return true; }
    Bytes place{start - 1, end + 1};
    if (!members) { return tell(SimdJSONString, textBits(content, isUnescaped), place, isUnescaped); }
    if (askedBits & bit(key)) {
      for (size_t index = 0; index < request.memberCount; index++) {
        if (members[index] == key) { return tell(SimdJSONName, index, place); }
      }
    }
    isAsked = false;
    return true;
  }

  /// The first quotation mark or backslash: there is one, since every string of the text is closed.
  static const uint8_t *quoteOrEscape(const uint8_t *start) {
    constexpr uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
    for (;; start += 8) {
      uint64_t eight;
      memcpy(&eight, start, 8);
      uint64_t quote = eight ^ ones * '"', escape = eight ^ ones * '\\';
      uint64_t found = (((quote - ones) & ~quote) | ((escape - ones) & ~escape)) & tops;
      if (found) { return start + __builtin_ctzll(found) / 8; }
    }
  }

  /// Behind a key there is room to load from, in the text and among the unescaped strings.
  static void setKey(SimdJSONMember &key, Bytes content) {
    key.bytes = content.start;
    key.count = content.count();
    memcpy(&key.head, content.start, 8);
    if (key.count < 8) { key.head &= (uint64_t(1) << key.count * 8) - 1; }
  }

  /// One of 64 bits for each key: most keys of an object are told apart by them.
  static uint64_t bit(const SimdJSONMember &key) { return uint64_t(1) << (key.head * 0x9E3779B97F4A7C15 >> 58); }

  static constexpr size_t fewKeys = 16;

  /// False where the object of the key that was read last has it already. Of many keys that is found out at the end.
  bool isNew(size_t first, uint64_t &seen) {
    size_t last = own.keys.count - 1;
    const SimdJSONMember &key = own.keys.elements[last];
    uint64_t keyBit = bit(key);
    bool mayBeThere = seen & keyBit;
    seen |= keyBit;
    if (!mayBeThere || last - first >= fewKeys) { return true; }
    for (size_t index = first; index < last; index++) {
      if (own.keys.elements[index] == key) { return keyTwice(); }
    }
    return true;
  }

  bool areUnique(size_t first) {
    if (own.keys.count - first <= fewKeys) { return true; }
    SimdJSONMember *start = own.keys.elements + first, *end = own.keys.elements + own.keys.count;
    std::sort(start, end, [](const SimdJSONMember &a, const SimdJSONMember &b) {
      if (a.head != b.head) { return a.head < b.head; }
      return a.count != b.count ? a.count < b.count : memcmp(a.bytes, b.bytes, a.count) < 0;
    });
    return std::adjacent_find(start, end) == end || keyTwice();
  }

  bool keyTwice() {
    outcome = SimdJSONKeyTwice;
    return false;
  }

  // MARK: Scalars

  template <bool tells>
  bool walk(ondemand::value &value) {
    ondemand::json_type type;
    if (failed(value.type().get(type))) { return false; }
    Bytes token = place(value);
    switch (type) {
      case ondemand::json_type::object: {
        ondemand::object object;
        return !failed(value.get_object().get(object)) && walk<tells>(object, token.start, nullptr);
      }
      case ondemand::json_type::array: {
        ondemand::array array;
        return !failed(value.get_array().get(array)) && walk<tells>(array, token.start);
      }
      case ondemand::json_type::string: return string<tells>(value, token);
      case ondemand::json_type::number: return number<tells>(value, token);
      case ondemand::json_type::boolean: {
        bool isTrue;
        if (failed(value.get_bool().get(isTrue))) { return false; }
        return !tells || tell(isTrue ? SimdJSONTrue : SimdJSONFalse, 0, token);
      }
      case ondemand::json_type::null: {
        bool isNull;
        if (failed(value.is_null().get(isNull))) { return false; }
        if (!isNull) { return refuse(); }
        return !tells || tell(SimdJSONNull, 0, token);
      }
    }
    return refuse();
  }

  /// Where a value's token is, without the white space behind it.
  Bytes place(ondemand::value &value) {
    std::string_view token = value.raw_json_token();
    const uint8_t *start = reinterpret_cast<const uint8_t *>(token.data());
    const uint8_t *end = start + token.size();
    while (end > start && isSpace(end[-1])) { end--; }
    return {start, end};
  }

  template <bool tells>
  bool string(ondemand::value &value, Bytes token) {
    ondemand::raw_json_string raw;
    if (failed(value.get_raw_json_string().get(raw))) { return false; }
    if (token.count() < 2 || token.end[-1] != '"') { return refuse(); }
    Bytes content{token.start + 1, token.end - 1};
    uint8_t isUnescaped = 0;
    if (memchr(content.start, '\\', content.count())) {
      uint8_t *before = nextUnescaped;
      if (!unescape(raw, content)) { return false; }
      isUnescaped = 1;
      if (!tells) { nextUnescaped = before; }
    }
    return !tells || tell(SimdJSONString, textBits(content, isUnescaped), token, isUnescaped);
  }

  uint64_t textBits(Bytes content, uint8_t isUnescaped) const {
    uint64_t offset = uint64_t(content.start - (isUnescaped ? own.unescaped.elements : text.start));
    return offset | uint64_t(content.count()) << 32;
  }

  /// Resolves the escapes of a string; there is room, as they only ever make it shorter.
  bool unescape(ondemand::raw_json_string raw, Bytes &content) {
    uint8_t *start = nextUnescaped;
    std::string_view made;
    if (failed(own.parser.unescape(raw, nextUnescaped).get(made))) { return false; }
    content = {start, start + made.size()};
    return true;
  }

  template <bool tells>
  bool number(ondemand::value &value, Bytes token) {
    int64_t whole;
    if (!value.get_int64().get(whole)) {
      if (!tells) { return true; }
      // Only a double keeps the sign of -0.
      return whole == 0 && *token.start == '-' ? tell(SimdJSONDouble, bits(-0.0), token)
                                               : tell(SimdJSONInteger, uint64_t(whole), token);
    }
    double real;
    if (token.count() > trustedDigits) {
      if (!Number::read(token.start, token.end, real)) { return refuse(); }
    } else if (failed(value.get_double().get(real))) {
      return false;
    }
    return !tells || tell(SimdJSONDouble, bits(real), token);
  }

  /// Longest number that is left to simdjson. 3.0.1 takes longer ones for others: its sum of the digits overflows where
  /// zeros stand behind the point, and it refuses exponents of 20 digits. (Its get_number loses what it falls back to.)
  static constexpr size_t trustedDigits = 19;

  static uint64_t bits(double real) {
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    return bits;
  }
};

}  // namespace
