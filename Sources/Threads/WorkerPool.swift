/// Threads that answer questions, each with something of its own to do it with, such as a connection or memory; what is asked first
/// is begun first.
package final class WorkerPool<Question: Sendable, Answer: Sendable>: Sendable {
  /// Questions that belong together: the first that fails ends those that have not begun.
  package final class Group: Sendable {
    fileprivate struct State {
      var answers: [Answer?]
      var left: Int
      var failure: (any Error)?
    }

    fileprivate let state: Monitor<State>

    fileprivate init(count: Int) {
      state = Monitor(State(answers: [Answer?](repeating: nil, count: count), left: count))
    }

    /// The answers, in the order of the questions; waits for them.
    ///
    /// - Throws: the first error that came, at once: others may take long to end.
    package func answers() throws -> [Answer] {
      try state.when({ $0.left == 0 || $0.failure != nil }) { state in
        if let failure = state.failure { throw failure }
        return state.answers.compactMap(\.self)
      }
    }

    fileprivate var hasFailed: Bool { state.when({ _ in true }, { $0.failure != nil }) }

    fileprivate func end(_ index: Int, _ result: Result<Answer, any Error>?) {
      state.when({ _ in true }) { state in
        state.left -= 1
        switch result {
        case .success(let answer): state.answers[index] = answer
        case .failure(let error): if state.failure == nil { state.failure = error }
        case nil: break
        }
      }
    }
  }

  private struct Job {
    var group: Group
    var index: Int
    var question: Question
  }

  private struct Queue {
    var jobs: [Job] = []
    /// The first job that nobody has taken.
    var next = 0
    var isClosed = false
  }

  private let queue = Monitor(Queue())
  private let threads: [JoinableThread]

  /// - Parameter worker: Makes what a thread answers with, such as one that holds a connection; called on the thread.
  package init(threads count: Int, _ worker: @escaping @Sendable () throws -> (Question) throws -> Answer) throws {
    let queue = queue
    var threads: [JoinableThread] = []
    do {
      for _ in 0..<count { threads.append(try JoinableThread { Self.work(queue, worker) }) }
    } catch {
      Self.close(queue, threads)
      throw error
    }
    self.threads = threads
  }

  /// Lets questions that have begun end, and waits for that.
  package func close() { Self.close(queue, threads) }

  private static func close(_ queue: Monitor<Queue>, _ threads: [JoinableThread]) {
    queue.when({ _ in true }) { $0.isClosed = true }
    for thread in threads { thread.join() }
  }

  /// Asks, and does not wait.
  package func ask(_ questions: [Question]) -> Group {
    let group = Group(count: questions.count)
    queue.when({ _ in true }) { queue in
      queue.jobs.removeFirst(queue.next)
      queue.next = 0
      for (index, question) in questions.enumerated() {
        queue.jobs.append(Job(group: group, index: index, question: question))
      }
    }
    return group
  }

  private static func work(
    _ queue: Monitor<Queue>, _ worker: @Sendable () throws -> (Question) throws -> Answer
  ) {
    let answer = Result { try worker() }
    while let job = next(queue) {
      // What nobody waits for any more need not be asked.
      let result = job.group.hasFailed ? nil : Result { try answer.get()(job.question) }
      job.group.end(job.index, result)
    }
  }

  private static func next(_ queue: Monitor<Queue>) -> Job? {
    queue.when({ $0.isClosed || $0.next < $0.jobs.count }) { queue in
      guard !queue.isClosed else { return nil }
      queue.next += 1
      return queue.jobs[queue.next - 1]
    }
  }
}
