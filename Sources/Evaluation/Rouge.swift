/// ROUGE as Google's rouge_score computes it with stemming: overlap of words, from 0 to 1.
public struct Rouge: Sendable, Equatable {
  /// Shared words over words of the prediction.
  public var precision: Double
  /// Shared words over words of the reference.
  public var recall: Double
  /// Harmonic mean of precision and recall; the number that papers report.
  public var f1: Double

  /// ROUGE-L: what is shared is the longest common subsequence of words. All 0 where either text has no words.
  public static func l(reference: String, prediction: String) -> Rouge {
    l(words(reference), words(prediction))
  }

  /// ROUGE-L against the reference that gives the highest F1, the first of equals; all 0 without references.
  public static func l(references: [String], prediction: String) -> Rouge {
    let predicted = words(prediction)
    return references.reduce(nil as Rouge?) { best, reference in
      let score = l(words(reference), predicted)
      if let best, best.f1 >= score.f1 { return best }
      return score
    } ?? Rouge(shared: 0, reference: 0, prediction: 0)
  }

  /// The words of a text: lower-cased, everything but a-z and 0-9 taken as space, words longer than three letters
  /// stemmed.
  package static func words(_ text: String) -> [[UInt8]] {
    var words: [[UInt8]] = []
    var word: [UInt8] = []
    func finish() {
      if word.isEmpty { return }
      words.append(word.count > 3 ? PorterStemmer.stem(word) : word)
      word.removeAll(keepingCapacity: true)
    }
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x61...0x7a, 0x30...0x39: word.append(UInt8(scalar.value))
      case 0x41...0x5a: word.append(UInt8(scalar.value + 0x20))
      case 0x212a: word.append(UInt8(ascii: "k"))  // the Kelvin sign, whose lower case is k
      case 0x130:  // I with a dot, whose lower case is i and a combining dot
        word.append(UInt8(ascii: "i"))
        finish()
      default: finish()
      }
    }
    finish()
    return words
  }

  private init(shared: Int, reference: Int, prediction: Int) {
    precision = prediction == 0 ? 0 : Double(shared) / Double(prediction)
    recall = reference == 0 ? 0 : Double(shared) / Double(reference)
    f1 = precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0
  }

  private static func l(_ reference: [[UInt8]], _ prediction: [[UInt8]]) -> Rouge {
    // Numbers in place of words make the comparisons of the table cheap.
    var numbers: [[UInt8]: Int32] = [:]
    func number(_ word: [UInt8]) -> Int32 {
      if let known = numbers[word] { return known }
      let next = Int32(numbers.count)
      numbers[word] = next
      return next
    }
    return Rouge(
      shared: longestCommonSubsequence(reference.map(number), prediction.map(number)), reference: reference.count,
      prediction: prediction.count)
  }

  /// Length of the longest common subsequence, with one row of the table at a time.
  private static func longestCommonSubsequence(_ a: [Int32], _ b: [Int32]) -> Int {
    var row = [Int](repeating: 0, count: b.count + 1)
    for x in a {
      var diagonal = 0
      for j in b.indices {
        let above = row[j + 1]
        row[j + 1] = x == b[j] ? diagonal + 1 : max(above, row[j])
        diagonal = above
      }
    }
    return row[b.count]
  }
}

/// Exact match as question answering counts it.
public enum ExactMatch {
  /// Whether the prediction equals one of the references once white space at both ends is gone and runs of it inside
  /// are single spaces; case and punctuation count.
  public static func matches(references: [String], prediction: String) -> Bool {
    let predicted = collapsed(prediction)
    return references.contains { collapsed($0) == predicted }
  }

  /// The words as arrays of scalars: strings would compare equal by canonical equivalence too.
  private static func collapsed(_ text: String) -> [[Unicode.Scalar]] {
    text.unicodeScalars.split { $0.properties.isWhitespace }.map(Array.init)
  }
}
