import { expect, test } from "vitest";
import { resultCsv } from "../../src/report/csv.ts";
import { example, layer, row } from "./example.ts";

const header =
  "model,layer,d,m,positions,groups,measure,value,standard_error_data,standard_error_probe,n,method,curvature,skipped,options";

test("a result, by hand", () => {
  expect(resultCsv(example).split("\r\n")).toEqual([
    header,
    "lenet5.onnx,conv1,6,75,784,1,relative-flatness,27.044708,1.8912,0,2000,gauss-newton-exact,gauss-newton,,",
    "lenet5.onnx,conv1,6,75,784,1,hessian-trace,5.5229529,0.41337,0,2000,gauss-newton-exact,gauss-newton,,",
    "lenet5.onnx,conv1,6,75,784,1,squared-weight-norm,14.81206,,,2000,weights,,,",
    "lenet5.onnx,fc1,120,400,1,1,relative-flatness,232.71222,11.94,0.31,2000,gauss-newton-probes,gauss-newton,,",
    "lenet5.onnx,fc1,120,400,1,1,hessian-trace,67.518677,3.1204,0.094,2000,gauss-newton-probes,gauss-newton,,",
    "lenet5.onnx,fc1,120,400,1,1,squared-weight-norm,188.3305,,,2000,weights,,,",
    "lenet5.onnx,fc3,10,84,1,1,relative-flatness,31.419966,1.9031,0,2000,closed-form,hessian,,",
    "lenet5.onnx,fc3,10,84,1,1,hessian-trace,8.2403684,0.50149,0,2000,closed-form,hessian,,",
    "lenet5.onnx,fc3,10,84,1,1,squared-weight-norm,35.709665,,,2000,weights,,,",
    "lenet5.onnx,,,,,,fisher-rao-norm,1.1865801,0.03127,0,2000,backpropagated,gauss-newton,,",
    "lenet5.onnx,mel,64,80,1,1,,,,,,,,excluded by --exclude,",
    "",
  ]);
});

test("fields with commas, quotes and line breaks are quoted, quotes doubled; what is no number stays", () => {
  const name = 'a,"b"\nc';
  const text = resultCsv({
    ...example,
    layers: [layer(name, 1, 2)],
    results: [{ ...row(name, "relative-flatness", NaN, 1e-12, 0, "p"), options: { groupPairs: "all" } }],
  });
  expect(text).toBe(
    `${header}\r\nlenet5.onnx,"a,""b""\nc",1,2,1,1,relative-flatness,NaN,1e-12,0,2000,p,gauss-newton,,"{""groupPairs"":""all""}"\r\n`,
  );
});
