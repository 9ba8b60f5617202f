/// The last stage of a job on a thread of its own: what it does with one input overlaps with making the next one.
///
/// ```swift
/// try BackgroundStage.running({ (batch: [ScoredSample]) in try writer.append(batch) }) { stage in
///   for sequences in batches { try stage.submit(scorer.score(sequences)) }
/// }
/// ```
///
/// Inputs are worked on one after the other, in the order in which they were submitted, all on the same thread. At most
/// one waits while another is being worked on; with the one being made, three exist at a time.
///
/// The first error ends the work: no other input is worked on, and whoever submits the next one gets the error.
package final class BackgroundStage<Input: Sendable>: Sendable {
  private enum Slot: Sendable {
    case empty
    case waiting(Input)
    /// Nothing more will be submitted.
    case closed
  }

  private struct State: Sendable {
    var slot = Slot.empty
    var failure: (any Error)?

    /// Whether a submitter need not wait.
    var isOpen: Bool { if case .empty = slot { true } else { failure != nil } }
    /// Whether the stage's thread need not wait.
    var isDecided: Bool { if case .empty = slot { false } else { true } }
  }

  private let state = Monitor(State())
  private let work: @Sendable (Input) throws -> Void

  private init(_ work: @escaping @Sendable (Input) throws -> Void) { self.work = work }

  /// Runs `body`, which submits inputs, and returns when all of them have been worked on, also where `body` throws.
  ///
  /// - Parameter work: What is done with an input, on the stage's thread.
  /// - Throws: the error of `work` where there is one, otherwise what `body` throws: without the overlap, too, the work
  ///   on an earlier input would have failed before anything that comes after it.
  package static func running<Output>(
    _ work: @escaping @Sendable (Input) throws -> Void, _ body: (BackgroundStage) throws -> Output
  ) throws -> Output {
    let stage = BackgroundStage(work)
    let thread = try JoinableThread { stage.workThrough() }
    let output = Result { try body(stage) }
    stage.close()
    thread.join()
    if let failure = stage.state.when({ _ in true }, { $0.failure }) { throw failure }
    return try output.get()
  }

  /// Hands an input over; waits while another one is waiting already.
  ///
  /// - Throws: the error that ended the work; the input is then dropped.
  package func submit(_ input: Input) throws {
    try state.when(\.isOpen) { state in
      if let failure = state.failure { throw failure }
      state.slot = .waiting(input)
    }
  }

  /// Lets the thread end, after the input that waits where one does.
  private func close() { state.when(\.isOpen) { $0.slot = .closed } }

  private func workThrough() {
    while let input = next() {
      do { try work(input) } catch {
        state.when({ _ in true }, { $0.failure = error })
        return
      }
    }
  }

  /// Takes the next input; nil where there will be none.
  private func next() -> Input? {
    state.when(\.isDecided) { state in
      guard case .waiting(let input) = state.slot else { return nil }
      state.slot = .empty
      return input
    }
  }
}
