import Diagnostics
import Samples
import Sequences

/// The samples of a data set, read through their index, and what became of the rows.
struct IndexedSamples: Sendable {
  let index: SampleIndex
  let account: RowAccount
  /// Holds the index while it is used.
  let folder: IndexFolder

  var count: Int { index.count }

  /// What messages call a sample, such as `data/train.jsonl line 12`.
  func name(_ number: Int) throws -> String {
    let (path, line) = try index.place(of: number)
    return "\(path) line \(line)"
  }

  /// Refuses samples that a model cannot read.
  ///
  /// - Parameters:
  ///   - lastIsTarget: True where a sample's last token is not given to the model.
  ///   - name: What messages call a sample beside its file and line.
  /// - Throws: a `Diagnostic` of category `input` for the first such sample, with file and line.
  func check(_ limits: SequenceLimits, lastIsTarget: Bool, name: String = "this row") throws {
    let longest = index.counts.longestSample - (lastIsTarget ? 1 : 0)
    guard longest > limits.context || index.counts.largestToken >= limits.vocabulary else { return }
    try index.forEachSample { number, sample in
      let inputs = sample.tokenIDs.count - (lastIsTarget ? 1 : 0)
      do { try limits.check(sample.tokenIDs, inputs: inputs, name: name) } catch let fault as Diagnostic {
        let (path, line) = try index.place(of: number)
        throw fault.located(file: path, line: line)
      }
    }
  }
}
