import Diagnostics
package import Sequences

/// The samples of a data set, read through their index, and what became of the rows.
package struct IndexedSamples: Sendable {
  package let index: SampleIndex
  package let account: RowAccount
  /// Holds the index while it is used.
  package let folder: IndexFolder

  package init(index: SampleIndex, account: RowAccount, folder: IndexFolder) {
    self.index = index
    self.account = account
    self.folder = folder
  }

  package var count: Int { index.count }

  /// What messages call a sample, such as `data/train.jsonl line 12`.
  package func name(_ number: Int) throws -> String {
    let (path, line) = try index.place(of: number)
    return "\(path) line \(line)"
  }

  /// Refuses samples that a model cannot read.
  ///
  /// - Parameters:
  ///   - lastIsTarget: True where a sample's last token is not given to the model.
  ///   - name: What messages call a sample beside its file and line.
  /// - Throws: a `Diagnostic` of category `input` for the first such sample, with file and line.
  package func check(_ limits: SequenceLimits, lastIsTarget: Bool, name: String = "this row") throws {
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
