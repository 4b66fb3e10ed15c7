set -e
export PATH=/tmp/wt/anybase/.venv/bin:$PATH PYTHONPATH=$PWD:/tmp/wt/anybase OMP_NUM_THREADS=1
CELL=$(python -c "import pandas as pd; t = pd.read_csv('results/my-robot/cells.csv', dtype={'cell_id': str}); print(t[t.prior_bound.notna()].sort_values('mean_steps_to_goal').cell_id.iloc[0])")
rm -rf bundle audit.jsonl
sport-ray export $CELL --results results/my-robot --out bundle
sport-ray verify bundle --trust-module my_base
python act.py
sport-ray audit audit.jsonl --bundle bundle --digest $(cat digest.txt) --trust-module my_base
sport-ray verify results/my-robot --rerun 20 --trust-module my_base
