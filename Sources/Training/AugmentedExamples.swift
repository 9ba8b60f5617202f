package import Methods
import Samples
import Sequences
package import Teachers

/// The fixed data in its order, and beside each sample of a step another form of it.
package final class AugmentedExamples: ExampleSource {
  private let examples: DataExamples
  private let forms: any SampleForms

  package init(_ examples: DataExamples, _ forms: any SampleForms) {
    self.examples = examples
    self.forms = forms
  }

  package var state: SourceState { examples.state }
  package func observe(validationLoss: Double) {}
  package func prune(resumableAt version: Int) {}

  package func batch(step: Int, of total: Int) throws -> StepBatch {
    var batch = try examples.batch(step: step, of: total)
    batch.examples += try forms.examples(of: examples.numbers(at: step), step: step)
    return batch
  }
}

/// Other forms of samples, and what a teacher says of them.
package protocol SampleForms {
  /// One of each of a step's samples, by their numbers.
  ///
  /// - Throws: a `Diagnostic` where the teacher has nothing to say of one.
  func examples(of samples: [Int], step: Int) throws -> [Example]
}

/// Mixtures, each of a sample and another of its data set.
package struct Mixtures: SampleForms {
  private let data: TrainingData
  private let teacher: any MixtureTeacher
  private let plan: MixturePlan

  /// - Parameter plan: That of the teacher's pool, or of mixtures that are new at each step.
  package init(of data: TrainingData, teacher: any MixtureTeacher, plan: MixturePlan) {
    (self.data, self.teacher, self.plan) = (data, teacher, plan)
  }

  package func examples(of samples: [Int], step: Int) throws -> [Example] {
    let asked = try samples.enumerated().map { slot, sample in
      let place = data.place(of: sample), set = data.sets[place.set]
      let (other, share) = plan.mixture(
        of: place.number, among: set.count, number: plan.pool.choice(step: step, place: slot))
      return AskedMixture(try set.asked(place.number), try set.asked(other), share: share)
    }
    return try zip(asked, teacher.lessons(of: asked)).map { asked, lesson in
      Example(lesson, isBeside: true, name: "\(asked.first.name), mixed with \(asked.second.name)")
    }
  }
}

/// Twins, each a sample with some of its tokens replaced.
package struct Twins: SampleForms {
  private let data: TrainingData
  private let teacher: any Teacher
  private let plan: TwinPlan

  /// - Parameter plan: That of the teacher's pool, or of twins that are new at each step.
  package init(of data: TrainingData, teacher: any Teacher, plan: TwinPlan) {
    (self.data, self.teacher, self.plan) = (data, teacher, plan)
  }

  package func examples(of samples: [Int], step: Int) throws -> [Example] {
    let asked = try samples.enumerated().map { slot, sample in
      let place = data.place(of: sample)
      return try plan.twin(
        of: place.number, in: data.sets[place.set], number: plan.pool.choice(step: step, place: slot))
    }
    return try zip(asked, teacher.signals(for: asked)).map { asked, lesson in
      Example(lesson, isBeside: true, name: asked.name)
    }
  }
}
