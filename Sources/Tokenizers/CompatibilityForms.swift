import CUTF8Proc

/// Decompositions of characters that are others in another dress: ligatures, full-width letters, superscripts.
///
/// Three versions of Unicode meet here. utf8proc 2.8 decomposes by the tables of Unicode 14 or 15, the standard library
/// orders and composes by those of 15 or later, and the reference does all of it by those of Unicode 9. What a character
/// of Unicode 9 decomposes to never changes, so that all that is needed is to leave newer characters as they are, which
/// ``Normalizer`` does for every form.
enum CompatibilityForms {
  /// A text with every character decomposed as far as it goes; the marks of a character are not in order yet.
  static func decomposition(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    var buffer = [utf8proc_int32_t](repeating: 0, count: 32)
    for scalar in text.unicodeScalars {
      guard scalar.value >= 0x80, let count = decompose(scalar, into: &buffer) else {
        result.append(scalar)
        continue
      }
      for value in buffer[..<count] { result.append(Unicode.Scalar(UInt32(value)) ?? scalar) }
    }
    return String(result)
  }

  /// The number of characters that one decomposes to, nil where utf8proc has no answer; none has more than eighteen.
  private static func decompose(_ scalar: Unicode.Scalar, into buffer: inout [utf8proc_int32_t]) -> Int? {
    var ignored: Int32 = 0
    let options = utf8proc_option_t(UTF8PROC_DECOMPOSE.rawValue | UTF8PROC_COMPAT.rawValue)
    let size = buffer.count
    let count = unsafe utf8proc_decompose_char(
      utf8proc_int32_t(scalar.value), &buffer, utf8proc_ssize_t(size), options, &ignored)
    return 1...size ~= Int(count) ? Int(count) : nil
  }

  /// What Google's models for translation do to a text, as the normalizer `Nmt` of a tokenizer file: control characters
  /// are left out, and whatever looks like white space or nothing becomes a space.
  static func translated(_ text: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
      switch scalar.value {
      case 0x1...0x8, 0xB, 0xE...0x1F, 0x7F, 0x8F, 0x9F: continue
      case 0x9, 0xA, 0xC, 0xD, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD:
        result.append(UInt8(ascii: " "))
      default: result.append(contentsOf: UTF8.encode(scalar)!)
      }
    }
    return result
  }
}
