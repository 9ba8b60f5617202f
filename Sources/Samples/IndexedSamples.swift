import Diagnostics
package import Sequences
package import Tokenizers

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

  /// A sample to ask a teacher about; its tokens are made from its row where somebody needs them.
  package func asked(_ number: Int) throws -> AskedSequence {
    AskedSequence(
      contentKey: try index[number].contentKey, name: (try? name(number)) ?? "sample \(number)",
      make: { try index.sample(at: number).sequence })
  }

  /// Refuses samples of which a token to score lies beyond the leading ids that count.
  ///
  /// - Throws: a `Diagnostic` of category `input` for the first such sample, with file and line.
  package func check(targetsBelow size: Int, tokenizer: TokenizerBundle) throws {
    guard index.counts.largestTarget >= size else { return }
    try index.forEachSample { number, sample in
      guard let id = sample.sequence.targets.first(where: { $0 >= size }) else { return }
      let (path, line) = try index.place(of: number)
      throw Diagnostic.input(
        "token \(id) of the response lies beyond the first \(size) vocabulary entries, which alone count", file: path,
        line: line, field: "vocabulary",
        remedy: "let at least the tokenizer's \(tokenizer.tokenizer.vocabularySize) count")
    }
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
