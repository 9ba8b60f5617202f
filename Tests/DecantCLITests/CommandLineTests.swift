import DecantCLI
import Synchronization
import TestSupport
import Testing

/// What a program printed and the status it ended with.
struct Outcome: Equatable {
  var status: Int32
  var output: String
  var errors: String
}

func run(_ program: Program, _ words: [String]) -> Outcome {
  final class Buffer: Sendable {
    let text = Mutex("")
    func append(_ piece: String) { text.withLock { $0 += piece } }
  }
  let (output, errors) = (Buffer(), Buffer())
  let status = program.run(words, output: Output { output.append($0) }, errors: Output { errors.append($0) })
  return Outcome(status: status, output: output.text.withLock { $0 }, errors: errors.text.withLock { $0 })
}

func words(_ line: String) -> [String] { line.split(separator: " ").map(String.init) }

@Suite("A command line")
struct CommandLineTests {
  @Test(
    "is read into typed values",
    arguments: [
      ("--canvas c blue", "blue - c 3 0.5 round - [] false false"),
      ("--canvas=c --layers 7 blue", "blue - c 7 0.5 round - [] false false"),
      ("blue red --canvas c", "blue red c 3 0.5 round - [] false false"),
      ("--canvas c --gloss=1e-1 --shape square blue", "blue - c 3 0.1 square - [] false false"),
      (
        "--canvas c --seed 18446744073709551615 blue",
        "blue - c 3 0.5 round 18446744073709551615 [] false false"
      ),
      ("--canvas c --set a=1 --set=b.c=2 blue", "blue - c 3 0.5 round - [\"a=1\", \"b.c=2\"] false false"),
      ("--canvas c --preview --json blue", "blue - c 3 0.5 round - [] true true"),
      ("--canvas c -- --blue", "--blue - c 3 0.5 round - [] false false"),
      ("--canvas=--c -", "- - --c 3 0.5 round - [] false false"),
    ])
  func values(line: String, expected: String) {
    #expect(run(sample, ["paint"] + words(line)) == Outcome(status: 0, output: expected + "\n", errors: ""))
  }

  @Test(
    "that is wrong is refused with status 2 and what to do",
    arguments: [
      ("paint --canvas c --layer 4 blue", "there is no option '--layer'\n  remedy: did you mean --layers?"),
      ("paint --canvas c --lay_ers=4 blue", "did you mean --layers?"),
      ("paint --canvas c --zebra blue", "there is no option '--zebra'\n  remedy: 'sample paint --help'"),
      ("paint --canvas c -l blue", "there is no option '-l'"),
      ("paint --canvas", "--canvas: is missing its value\n  remedy: write --canvas DIR"),
      ("paint --canvas --layers 3 blue", "--canvas: is missing its value"),
      ("paint blue", "--canvas: is missing\n  remedy: give --canvas DIR"),
      ("paint --canvas c", "COLOUR: is missing"),
      ("paint --canvas c --layers many blue", "--layers: 'many' is not a whole number of at least 1"),
      ("paint --canvas c --layers 0 blue", "--layers: '0' is not a whole number of at least 1"),
      ("paint --canvas c --layers 1.5 blue", "--layers: '1.5' is not"),
      ("paint --canvas c --gloss nan blue", "--gloss: 'nan' is not a finite number from 0 to 1"),
      ("paint --canvas c --gloss -1 blue", "--gloss: '-1' is not a finite number from 0 to 1"),
      ("paint --canvas c --shape oval blue", "--shape: 'oval' is not one of round, square"),
      ("paint --canvas c --seed -1 blue", "--seed: '-1' is not a whole number from 0"),
      ("paint --canvas c --canvas d blue", "--canvas: is given twice, as 'c' and 'd'"),
      ("paint --canvas c --preview=yes blue", "--preview: takes no value, but 'yes' was given"),
      ("paint --canvas c blue red green", "'green' is one word too many"),
      ("pant", "there is no verb 'pant'\n  remedy: did you mean 'sample paint'?"),
      ("--verbose", "there is no option '--verbose'"),
      ("", "a verb is missing; there are paint, canvas"),
      ("canvas", "a verb is missing; there are careless\n  remedy: run 'sample canvas --help'"),
      ("canvas carless", "did you mean 'sample canvas careless'?"),
    ])
  func refusals(line: String, message: String) {
    let outcome = run(sample, words(line))
    #expect(outcome.status == 2)
    #expect(outcome.output == "")
    #expect(outcome.errors.hasPrefix("sample: ") && outcome.errors.contains(message))
  }

  @Test("that fails at work ends with status 1")
  func failures() {
    let known = run(sample, words("paint --canvas c puce"))
    #expect(known == Outcome(status: 1, output: "", errors: "sample: c: there is no puce left\n"))
    let unknown = run(sample, words("paint --canvas c odd"))
    #expect(unknown.status == 1 && unknown.errors.contains("unexpected error: Odd()"))
  }

  @Test("prints the version")
  func version() {
    #expect(run(sample, ["--version"]) == Outcome(status: 0, output: "sample 1.2.3\n", errors: ""))
  }

  @Test(
    "prints help wherever it is asked for",
    arguments: [
      ("paint", ["paint --help", "paint -h", "help paint", "paint --zebra --help", "paint --canvas --help"]),
      ("canvas", ["canvas --help", "help canvas"]),
      ("program", ["--help", "-h", "help"]),
    ])
  func help(snapshot: String, lines: [String]) throws {
    for line in lines {
      let outcome = run(sample, words(line))
      #expect(outcome.status == 0 && outcome.errors == "")
      try expectSnapshot(outcome.output, "sample-\(snapshot)")
    }
  }

  @Test("cannot be read for a parameter that is not declared")
  func undeclared() async {
    await #expect(processExitsWith: .failure) {
      _ = run(sample, ["canvas", "careless"])
    }
  }

  @Test("is declared without mistakes, or the check names them")
  func declarations() {
    struct Wrong: Command {
      var declaration: Declaration {
        let twice = Parameter<Bool>.flag("a", "A.").specification
        let clash = Parameter<String?>.optional("a", "B", "B.").specification
        let optional = Parameter<String?>.optionalPositional("X", "C.").specification
        let required = Parameter<String>.positional("Y", "no period").specification
        return Declaration("Wrong", "wrong.", parameters: [twice, clash, optional, required], examples: [])
      }
      func run(_ arguments: Arguments) throws {}
    }
    #expect(DeclarationCheck.faults(in: .command(Paint())) == [])
    let faults = DeclarationCheck.faults(in: .command(Wrong())).joined(separator: "\n")
    for expected in [
      "the name 'Wrong'", "ends with a period", "--a is declared twice", "Y is required but follows", "help of Y",
      "no example",
    ] { #expect(faults.contains(expected)) }
  }
}
