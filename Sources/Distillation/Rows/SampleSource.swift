import Configuration
import Diagnostics
import Evaluation
import JSON
import Models
import Samples
import Sequences
import Synchronization
import Telemetry
import Tensor
import Tokenizers

/// Files of rows to samples, for one model: what every verb that reads rows goes through, so that they all agree.
struct SampleSource {
  private let format: RowFormat
  private let builder: SampleBuilder
  /// What ends a text in all that is read here and in all that is generated from it.
  let endOfText: EndOfText
  private let tokenizer: Tokenizer
  private let vocabularySize: Int
  /// The model's, in tokens.
  private let context: Int

  /// - Parameters:
  ///   - chat: The chat template that conversations are written with; see ``RowFormat/chatTemplate(of:begun:)``.
  ///   - taught: What ends a text of the teacher, first what its answers end with, where there is one to learn from.
  init(
    _ format: RowFormat, tokenizer: TokenizerBundle, model: ModelConfiguration, chat: ChatTemplate?,
    taught: [Int32] = []
  ) throws {
    try self.init(
      format, tokenizer: tokenizer, limits: SequenceLimits(model, role: "the model"), ends: model.eosTokenIDs,
      chat: chat, taught: taught)
  }

  /// - Parameters:
  ///   - limits: Of whoever reads the samples.
  ///   - ends: What ends a text by its own configuration.
  ///   - chat: The chat template that conversations are written with.
  ///   - taught: What ends a text of the teacher, first what its answers end with, where there is one to learn from.
  init(
    _ format: RowFormat, tokenizer: TokenizerBundle, limits: SequenceLimits, ends: [Int32], chat: ChatTemplate?,
    taught: [Int32] = []
  ) throws {
    self.format = format
    self.tokenizer = tokenizer.tokenizer
    vocabularySize = limits.vocabulary
    context = limits.context
    endOfText = try format.endOfText(tokenizer: tokenizer, ends: ends, chat: chat, taught: taught)
    let template = format.template
    if let turn = template.endOfTurn, try template.endOfTurn(in: self.tokenizer) == nil,
      let end = endOfText.appended
    {
      Log.warning(
        "\(turn), which ends a turn of the template \(template), is no token of this tokenizer: a response ends with "
          + "\(EndOfText.name(end, in: self.tokenizer))")
    }
    builder = try SampleBuilder(
      tokenizer: tokenizer.tokenizer, template: template, chat: chat, trainOn: format.trainOn,
      eosTokenID: endOfText.appended, maximumLength: min(format.maximumLength ?? context, context),
      longPrompts: format.longPrompts)
  }

  /// The samples of a data set to learn from or to score. What became of its rows is said in the log.
  ///
  /// - Parameters:
  ///   - place: Where their index is kept.
  ///   - newTokens: The longest answer to their prompts, where they are to be answered too.
  /// - Throws: a `Diagnostic` where a row does not fit, or responses would end with a token that the model does not have.
  func samples(of files: DataFiles, index place: IndexPlace, newTokens: Int? = nil) throws -> IndexedSamples {
    let samples = try indexed(files, .training, builder, place, newTokens: newTokens)
    guard let end = endOfText.appended, end >= vocabularySize, samples.index.counts.responses > 0 else {
      return samples
    }
    throw Diagnostic.input(
      "the token that ends a response, \(EndOfText.name(end, in: tokenizer)), lies beyond the model's vocabulary of "
        + "\(vocabularySize)", file: tokenizer.path, field: format.endOfText == nil ? "eos_token" : "end_of_text",
      remedy: "use the tokenizer the model was trained with, or name another token as end_of_text")
  }

  /// The rows of a data set as texts. What became of them is said in the log.
  func texts(of files: DataFiles, index place: IndexPlace) throws -> IndexedSamples {
    try indexed(files, .texts, builder, place, newTokens: nil)
  }

  /// The prompts of a data set to answer. What became of its rows is said in the log.
  ///
  /// - Parameter newTokens: The longest answer: prompts that are cut leave room for it.
  func prompts(of files: DataFiles, index place: IndexPlace, newTokens: Int) throws -> IndexedSamples {
    try indexed(
      files, .prompts, builder.answering(with: newTokens, context: context), place, newTokens: newTokens)
  }

  /// The prompt of a sample that is to be answered with so many tokens.
  func prompt(of sample: Sample, newTokens: Int) throws -> [Int32] {
    try builder.answering(with: newTokens, context: context).prompt(of: sample)
  }

  /// Shows a data set's rows one after the other, as they are trained on or as they are asked, without an index of them.
  ///
  /// - Parameter body: Is told the row's file, the row, and what it is shown as; nil where it is left out for its prompt.
  /// - Returns: How many rows were left out for their empty responses.
  func forEachRow(
    of files: DataFiles, asked: Bool, _ body: (String, Row, SampleDisplay?) throws -> Void
  ) throws -> Int {
    let dataset = try Dataset(files, options(asked ? .prompts : .training))
    return try dataset.forEachRow { row in
      let file = dataset.paths[row.file], display: SampleDisplay?
      do { display = try builder.display(row, asks: asked) } catch let fault as Diagnostic {
        throw fault.located(file: file, line: row.line)
      }
      try body(file, row, display)
    }
  }

  private func options(_ purpose: Dataset.Purpose) -> Dataset.Options {
    Dataset.Options(
      fields: format.fields, separator: format.separator, emptyResponses: format.emptyResponses, purpose: purpose)
  }

  private func indexed(
    _ files: DataFiles, _ purpose: Dataset.Purpose, _ builder: SampleBuilder, _ place: IndexPlace, newTokens: Int?
  ) throws -> IndexedSamples {
    let options = options(purpose)
    let paths = try files.paths()
    let folder = try IndexFolder(
      place, named: (paths + [options.text, "\(builder.fingerprint)"]).joined(separator: "\n"))
    let dataset = try Dataset(files, options, decompressedIn: folder.path)
    var said = ContinuousClock.now
    let index = try SampleIndex(dataset, builder, folder: folder.path, threads: Engine.threads) { rows in
      guard ContinuousClock.now - said > .seconds(5) else { return }
      said = .now
      Log.info("\(dataset.path): \(Readable.grouped(rows)) rows read")
    }
    if case .rebuilt(let reason) = index.origin { Log.info("\(dataset.path): \(reason); read again") }
    var account = index.account
    if let newTokens {
      let answering = try self.builder.answering(with: newTokens, context: context)
      try index.forEachEntry { _, entry in
        if answering.promptLength(cutting: entry.promptLength) + newTokens > context { account.tight += 1 }
      }
      account.newTokens = newTokens
    }
    // Once in a process: the stages of a pipeline share files.
    if let sentence = account.sentence, Self.said.withLock({ $0.insert(sentence).inserted }) { Log.info(sentence) }
    return IndexedSamples(index: index, account: account, folder: folder)
  }

  private static let said = Mutex<Set<String>>([])
}

extension RowFormat {
  /// What ends a text of a model; see `EndOfText` for the order.
  ///
  /// - Parameter ends: What does by the model's own configuration.
  func endOfText(
    tokenizer: TokenizerBundle, ends: [Int32], chat: ChatTemplate? = nil, taught: [Int32] = []
  ) throws -> EndOfText {
    try EndOfText(
      choice: endOfText, template: template, chat: chat, tokenizer: tokenizer.tokenizer, model: ends, taught: taught)
  }

  /// Tells of a student whose own chat template is not the one that its texts are written with.
  func tellDifference(of student: Tokenizer, from chat: ChatTemplate?) throws {
    guard let chat, let own = try? chatTemplate(of: student, begun: chat.date), own.text != chat.text else { return }
    Log.warning(
      "the student's own chat template (\(own.place)) differs from the teacher's (\(chat.place)), which conversations are "
        + "written with here")
  }

  /// The chat template that conversations are written with: that of a model's tokenizer, where the settings do not name
  /// a fixed one.
  ///
  /// - Parameter begun: The date that what is gone on with was begun with, where it says one.
  /// - Throws: a `Diagnostic` where the model has none of the name that the settings give.
  func chatTemplate(of tokenizer: Tokenizer, begun: String? = nil) throws -> ChatTemplate? {
    var name: String?
    switch template {
    case .model(let chosen): name = chosen
    case .plain where tokenizer.chatTemplates.contains { $0.name == "default" }: break
    default: return nil
    }
    return try ChatTemplate(
      tokenizer, named: name, date: date ?? begun ?? ChatTemplate.today(),
      variables: chatVariables.value.objectValue ?? JSONObject())
  }
}
