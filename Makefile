.PHONY: help test test-all lint format bench results

help:           ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

test:           ## the quick suite
	pytest

test-all:       ## every test, the slow ones too
	pytest -m "slow or not slow"

lint:           ## ruff and mypy
	ruff check .
	ruff format --check .
	mypy

format:         ## put all files into ruff's form
	ruff check --fix .
	ruff format .

bench:          ## speed against other libraries; needs `pip install ".[bench]"`
	python benchmarks/startup.py
	python benchmarks/dense.py
	python benchmarks/convolution.py

results:        ## train the shipped configs and write docs/results.md; takes half an hour
	python benchmarks/results.py
