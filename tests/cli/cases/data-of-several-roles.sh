# Roles from several data sets, in a word and in a recipe; labels and weights.
printf 'a,b,u,v,w\n1,x,0,1,1\n2,y,1,0,2\n3,x,1,1,1\n4,y,0,0,3\n' >train.csv
printf 'b,a,v,u,w\ny,2,0,1,1\nx,9,1,1,1\n' >test.csv
compress train linear --data "csv:train.csv,labels=u+v,weight=w,validation=0;test=csv:test.csv" --epochs 2 -q -o a.onnx --seed 1 --threads 1
cat >r.yaml <<'END'
model: linear
seed: 1
data: {train: "csv:train.csv,labels=u+v,weight=w,validation=0", test: csv:test.csv}
steps: [train: {epochs: 2}]
output: {model: b.onnx}
END
compress apply r.yaml --json r.json -q --threads 1
cmp a.onnx b.onnx && echo same
grep -o '"name": "train=[^"]*"\|"labels": 2\|"weighted": true' r.json
grep -c '"label": ' r.json
sed -i 's/, test:/, tset:/' r.yaml
compress apply r.yaml -f -q || echo "status $?"
compress eval a.onnx --data "csv:train.csv,labels=u+v;test=csv:absent.csv" || echo "status $?"
