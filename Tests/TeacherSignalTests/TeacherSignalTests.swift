// Tests of TeacherSignal.
