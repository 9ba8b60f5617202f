import Evaluation
import Files
import JSON
import TestSupport
import Testing

@Suite("ROUGE-L beside rouge_score")
struct RougeTests {
  static let file = "\(SharedData.packageRoot)/Tests/EvaluationTests/Golden/rouge.json"

  private func golden() throws -> JSONValue { try JSONValue.parse(File.read(Self.file), file: Self.file) }

  private func numbers(_ values: some Sequence<JSONValue>) -> [Double] { values.map { $0.doubleValue! } }

  @Test("stems are NLTK's")
  func stems() throws {
    let pairs = try golden()["stems"]!.stringValue!.split(separator: " ").map { $0.split(separator: ":") }
    #expect(pairs.count > 1000)
    let wrong = pairs.filter { Array($0[1].utf8) != PorterStemmer.stem(Array($0[0].utf8)) }
    #expect(wrong.isEmpty, "\(wrong.prefix(20).map { "\($0[0]): \(stem($0[0])), not \($0[1])" })")
  }

  private func stem(_ word: Substring) -> String {
    String(decoding: PorterStemmer.stem(Array(word.utf8)), as: UTF8.self)
  }

  @Test("precision, recall and F1 of every pair of sentences")
  func pairs() throws {
    let golden = try golden()
    let sentences = golden["sentences"]!.arrayValue!.map { $0.stringValue! }
    let pairs = golden["pairs"]!.arrayValue!
    #expect(pairs.count == sentences.count * sentences.count)
    for pair in pairs {
      let fields = numbers(pair.arrayValue!)
      let score = Rouge.l(reference: sentences[Int(fields[0])], prediction: sentences[Int(fields[1])])
      expectClose(
        [score.precision, score.recall, score.f1], Array(fields[2...]), absolute: 1e-12, "\(fields[0]) \(fields[1])")
    }
  }

  @Test("of several references the best counts")
  func references() throws {
    let golden = try golden()
    let sentences = golden["sentences"]!.arrayValue!.map { $0.stringValue! }
    for entry in golden["multiple"]!.arrayValue! {
      let fields = entry.arrayValue!
      let references = fields[0].arrayValue!.map { sentences[Int($0.intValue!)] }
      let score = Rouge.l(references: references, prediction: sentences[Int(fields[1].intValue!)])
      expectClose([score.precision, score.recall, score.f1], numbers(fields[2...]), absolute: 1e-12)
    }
    #expect(Rouge.l(references: [], prediction: "a word").f1 == 0)
  }

  @Test("the cases of rouge_score's own tests", .needsSharedData)
  func upstream() throws {
    let file = SharedData.path("golden/rouge/expected.json")
    let expected = try JSONValue.parse(File.read(file), file: file)
    for entry in expected["inline_cases"]!.arrayValue! {
      let fields = entry.arrayValue!
      guard fields[0].stringValue == "rougeL" else { continue }
      let score = Rouge.l(reference: fields[1].stringValue!, prediction: fields[2].stringValue!)
      let values = numbers(fields[3].arrayValue!)
      expectClose([score.recall, score.precision, score.f1], values, absolute: 1e-6)
    }
    // Two lines of random words with known endings, all in the same order: ROUGE-L equals ROUGE-1.
    func lines(_ name: String) throws -> [Substring] {
      String(decoding: try File.read(SharedData.path("golden/rouge/\(name).txt")), as: UTF8.self).split(separator: "\n")
    }
    let stemmed = expected["stemmer"]!["rouge1"]!.arrayValue!
    for (index, pair) in zip(try lines("target"), try lines("prediction")).enumerated() {
      let score = Rouge.l(reference: String(pair.0), prediction: String(pair.1))
      expectClose(
        [score.recall, score.precision, score.f1], numbers(stemmed[index].arrayValue!), absolute: 1e-5, "line \(index)")
    }
  }

  @Test("exact match forgives white space and nothing else")
  func exactMatch() {
    let table: [([String], String, Bool)] = [
      (["42"], " 42\n", true), (["a  b"], "a b ", true), (["a b"], "A b", false), (["x", "y"], "y", true),
      (["4.2"], "4.20", false), ([], "", false), ([""], " \n", true), (["é"], "e\u{301}", false),
    ]
    for (references, prediction, expected) in table {
      #expect(
        ExactMatch.matches(references: references, prediction: prediction) == expected, "\(references) \(prediction)")
    }
  }
}
