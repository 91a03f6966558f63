"""What a run costs and reaches, by NeuroBench's definitions and by those of this hardware."""
