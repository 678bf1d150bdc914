"""What pusherkit costs, as ratios to floors and to other libraries. Run: python -m benchmarks"""
