// TeacherSignal
